"""Error messages for people. Those of tools are for models and programs."""

from http import HTTPStatus

from pydantic import ValidationError

from mistral_mcp.errors import CredentialError, MistralMcpError, RevokedOrExpired
from mistral_mcp.hosting.vault.connection import WrongField
from mistral_mcp.hosting.web.pages.languages import Language, format_day, read_texts

_MINUTE = 60  # seconds
_BY_STATUS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "InvalidApiKey",
    HTTPStatus.PAYMENT_REQUIRED: "PaymentRequired",
    HTTPStatus.FORBIDDEN: "NotAllowed",
    HTTPStatus.TOO_MANY_REQUESTS: "RateLimited",
}


def describe(error: MistralMcpError, language: Language) -> str:
    """The message for an error's class, or for its nearest parent class with one."""
    texts = read_texts(language)
    if isinstance(error, WrongField):
        return texts["fields"][error.field]
    sentences = texts["problems"]
    if isinstance(error, RevokedOrExpired) and error.when is not None:
        day = format_day(error.when, language)
        return sentences[f"RevokedOrExpired_{error.reason}"].format(day=day)
    name = next(parent.__name__ for parent in type(error).__mro__ if parent.__name__ in sentences)
    if isinstance(error, CredentialError) and error.retry_after is not None:
        minutes = round(error.retry_after / _MINUTE) or 1
        return sentences[name].format(minutes=minutes)
    return sentences[name]


def describe_fields(error: ValidationError, language: Language) -> dict[str, str]:
    """A message for each invalid field, in the order of the form."""
    wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False, include_input=False)}
    return {name: sentence for name, sentence in read_texts(language)["fields"].items() if name in wrong}


def describe_status(status: int | None, language: Language) -> str:
    """The message for a call that failed at Mistral, or never reached it."""
    name = "MistralMcpError"
    if status is not None:
        name = _BY_STATUS.get(status, "UpstreamError")
    return read_texts(language)["problems"][name]
