"""The upload page that stdio shows on this machine, in English and French, without a template engine."""

from collections.abc import Sequence
from html import escape
from string import Template

from mistral_mcp.upload_links import MOST_FILES, UploadedFile

TEXTS = {
    "en": {
        "title": "Upload files",
        "lead": "Your assistant asked for files. This page is on your own computer; what you give it goes straight to Mistral.",
        "drop": "Drop files here, or choose them",
        "camera": "Take a photo",
        "send": "Upload",
        "limits": f"Up to {MOST_FILES} files, 512 MB each. The link works for 15 minutes.",
        "received": "Uploaded",
        "done": "You can go back to your assistant, or add more files.",
        "waiting": "waiting",
        "uploading": "uploading",
        "uploaded": "uploaded",
        "failed": "failed",
        "not_here": "Nothing was uploaded.",
        "ended_title": "This upload link has ended",
        "ended": "It is past its 15 minutes, or has brought as many files as it may. Ask your assistant for a new one.",
        "other": "fr",
        "other_name": "Français",
    },
    "fr": {
        "title": "Envoyer des fichiers",
        "lead": "Votre assistant a demandé des fichiers. Cette page est sur votre propre ordinateur ; ce que vous y déposez part "
        "directement chez Mistral.",
        "drop": "Déposez des fichiers ici, ou choisissez-les",
        "camera": "Prendre une photo",
        "send": "Envoyer",
        "limits": f"Jusqu'à {MOST_FILES} fichiers, 512 Mo chacun. Le lien est valable 15 minutes.",
        "received": "Envoyés",
        "done": "Vous pouvez retourner à votre assistant, ou ajouter d'autres fichiers.",
        "waiting": "en attente",
        "uploading": "envoi en cours",
        "uploaded": "envoyé",
        "failed": "échec",
        "not_here": "Rien n'a été envoyé.",
        "ended_title": "Ce lien d'envoi n'est plus valable",
        "ended": "Ses 15 minutes sont écoulées, ou il a reçu le nombre maximal de fichiers. Demandez un nouveau lien à votre "
        "assistant.",
        "other": "en",
        "other_name": "English",
    },
}

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>$title · mistral-mcp</title>
  <link rel="stylesheet" href="/static/upload.css">
</head>
<body>
  <main>
$content
    <p class="quiet"><a href="?lang=$other" hreflang="$other" lang="$other">$other_name</a></p>
  </main>
</body>
</html>
""")

_FORM = Template("""    <h1>$title</h1>
    <p class="quiet">$lead</p>
$problem
    <form method="post" action="$path?lang=$language" enctype="multipart/form-data" class="card" id="upload"
          data-waiting="$waiting" data-uploading="$uploading" data-uploaded="$uploaded" data-failed="$failed">
      <div class="drop" id="drop">
        <label for="file">$drop</label>
        <input type="file" id="file" name="file" required aria-describedby="limits">
        <p class="quiet" id="limits">$limits</p>
      </div>
      <p id="camera-row" hidden>
        <label class="button" for="camera">$camera</label>
        <input type="file" id="camera" accept="image/*" capture="environment" class="out">
      </p>
      <ul class="uploads" id="uploads" aria-live="polite"></ul>
      <button id="send">$send</button>
    </form>
$received
    <script src="/static/upload.js" defer></script>""")

_ENDED = Template("""    <h1>$ended_title</h1>
    <p>$ended</p>""")

_RECEIVED = Template("""    <section class="card" aria-labelledby="received">
      <h2 id="received">$title</h2>
      <ul>$items</ul>
      <p class="quiet">$done</p>
    </section>""")


def render_page(
    path: str,
    language: str,
    files: Sequence[UploadedFile],
    problem: str,
    *,
    ended: bool,
) -> str:
    """The page as HTML."""
    text = TEXTS[language]
    safe = {name: escape(sentence) for name, sentence in text.items()} | {"language": language}
    if ended:
        content = _ENDED.substitute(safe)
        title = safe["ended_title"]
    else:
        content = _FORM.substitute(
            safe,
            path=escape(path),
            problem=_problem(text, problem),
            received=_file_list(text, files),
        )
        title = safe["title"]
    return _PAGE.substitute(safe, title=title, content=content)


def choose_language(accepted: str, asked: str) -> str:
    """French if it is requested, or preferred to English; else English."""
    if asked in TEXTS:
        return asked
    named = [part.strip()[:2].lower() for part in accepted[:500].split(",")]
    return next((language for language in named if language in TEXTS), "en")


def _problem(text: dict[str, str], problem: str) -> str:
    if not problem:
        return ""
    return f'    <p class="bad" role="alert">{escape(text["not_here"])} {escape(problem)}</p>'


def _file_list(text: dict[str, str], files: Sequence[UploadedFile]) -> str:
    if not files:
        return ""
    items = "".join(f"<li>{escape(file.filename)}</li>" for file in files)
    return _RECEIVED.substitute(title=escape(text["received"]), items=items, done=escape(text["done"]))
