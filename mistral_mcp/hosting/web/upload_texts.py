"""The texts of the upload page, in English and French."""

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Upload files",
        "lead": "Your assistant asked for files. They go straight to Mistral with your connection; nothing is stored here.",
        "drop": "Drop files here, or choose them",
        "choose": "Choose files",
        "camera": "Take a photo",
        "send": "Upload",
        "limits": "Up to {most} files, 512 MB each. The link works for 15 minutes.",
        "received": "Uploaded",
        "done": "You can go back to your assistant, or add more files.",
        "waiting": "waiting",
        "uploading": "uploading",
        "uploaded": "uploaded",
        "failed": "failed",
        "ended_title": "This upload link has ended",
        "ended": "It is past its 15 minutes, has brought as many files as it may, or its connection was revoked. "
        "Ask your assistant for a new one.",
        "unknown": "If you copied the link by hand, check that it is complete.",
        "other_language": "Français",
        "other_code": "fr",
        "not_here": "Nothing was uploaded.",
    },
    "fr": {
        "title": "Envoyer des fichiers",
        "lead": "Votre assistant a demandé des fichiers. Ils partent directement chez Mistral avec votre connexion ; "
        "rien n'est conservé ici.",
        "drop": "Déposez des fichiers ici, ou choisissez-les",
        "choose": "Choisir des fichiers",
        "camera": "Prendre une photo",
        "send": "Envoyer",
        "limits": "Jusqu'à {most} fichiers, 512 Mo chacun. Le lien est valable 15 minutes.",
        "received": "Envoyés",
        "done": "Vous pouvez retourner à votre assistant, ou ajouter d'autres fichiers.",
        "waiting": "en attente",
        "uploading": "envoi en cours",
        "uploaded": "envoyé",
        "failed": "échec",
        "ended_title": "Ce lien d'envoi n'est plus valable",
        "ended": "Ses 15 minutes sont écoulées, il a reçu le nombre maximal de fichiers, ou sa connexion a été révoquée. "
        "Demandez un nouveau lien à votre assistant.",
        "unknown": "Si vous avez copié le lien à la main, vérifiez qu'il est complet.",
        "other_language": "English",
        "other_code": "en",
        "not_here": "Rien n'a été envoyé.",
    },
}
