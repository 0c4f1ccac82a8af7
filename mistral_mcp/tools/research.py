"""Toolset `research`: the same question to several models, and answers from the web."""

import time
from typing import Annotated

import anyio
from pydantic import BaseModel, Field

from mistral_mcp.bounds.cycles import raise_first
from mistral_mcp.errors import AnswerMismatch, MistralMcpError
from mistral_mcp.json_schema import CallerSchema, compile_schema
from mistral_mcp.mistral.api.chat import ChatCall, response_format_of
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.mistral.api.conversation_stream import converse
from mistral_mcp.mistral.api.conversations import StartConversationCall
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.conversations.results import (
    ConversationUsage,
    Source,
    conversation_usage,
    sources_of,
)
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.estimates.estimate import Estimate
from mistral_mcp.tools.framework.estimates.token_counts import estimate_chats
from mistral_mcp.tools.framework.fitting import keep_beginning
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, Usage, cut_note, kept_note, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class ModelAnswer(BaseModel):
    """One model's answer, or why there is none."""

    model: str
    text: Maybe[str] = None
    parsed: MaybeJson = None
    finish_reason: Maybe[str] = None
    seconds: float
    usage: Maybe[Usage] = None
    kept: Maybe[Kept] = None
    error: Maybe[str] = None

    def text_for_reader(self) -> str:
        facts = [f"{self.seconds:.1f} s"]
        if self.usage is not None and self.usage.cost_usd is not None:
            facts.append(f"${self.usage.cost_usd:.6f}")
        heading = f"## {self.model} ({', '.join(facts)})"
        text = self.text or ""
        answer = text + kept_note(self.kept, text) + cut_note(self.finish_reason or "")
        if self.error:
            error = f"FAILED: {self.error}"
        else:
            error = ""
        return "\n".join(filter(None, [heading, answer, error]))


class Comparison(Result):
    """The answers in the order of the models."""

    answers: list[ModelAnswer]
    total_cost_usd: float | None = Field(description="null where a price is unknown")

    def to_text(self) -> str:
        return "\n\n".join(answer.text_for_reader() for answer in self.answers)


@toolset.tool("Compare models", effect="reads", charge=Charge(asks_dry_run=True))
async def mistral_compare(
    mistral: Mistral,
    kept_results: KeptResults,
    models: Annotated[list[ModelName], Field(description="Models to ask, 2 to 8.", min_length=2, max_length=8)],
    prompt: parameters.Prompt = None,
    messages: parameters.Messages = None,
    system: parameters.System = None,
    max_tokens: parameters.MaxTokens = None,
    temperature: parameters.Temperature = None,
    json_schema: parameters.JsonSchema = None,
    dry_run: parameters.DryRun = None,
) -> Comparison | Estimate:
    """Ask several models the same question at once, to compare answers, speed and cost."""
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    turns = await parameters.build_messages(mistral, prompt, messages, system)
    calls = [
        ChatCall(
            model=model,
            messages=turns,
            max_tokens=max_tokens,
            temperature=temperature,
            response_format=response_format_of(json_schema),
        )
        for model in models
    ]
    if dry_run:
        return await estimate_chats(mistral, calls)
    answers, errors = await _ask_all(mistral, calls, schema)
    if len(errors) == len(calls):
        raise_first(errors)
    for answer in answers:
        await _fit(answer, kept_results, LONG // len(answers))
    costs = [answer.usage.cost_usd for answer in answers if answer.usage is not None]
    known = [cost for cost in costs if cost is not None]
    return Comparison(answers=answers, total_cost_usd=sum(known) if len(known) == len(costs) else None)


async def _fit(answer: ModelAnswer, kept_results: KeptResults, room: int) -> None:
    """Store an answer that is too long to show together with the others."""
    if answer.text is not None:
        answer.text, answer.kept = await keep_beginning(answer.text, kept_results, room)
    if answer.kept is not None:
        answer.parsed = None  # it repeats the whole text
    if answer.error:
        answer.error = answer.error[:room]


async def _ask_all(
    mistral: Mistral, calls: list[ChatCall], schema: CallerSchema | None
) -> tuple[list[ModelAnswer], list[Exception]]:
    """Ask all models concurrently; report progress for each answer."""
    answers: dict[int, ModelAnswer] = {}
    errors: list[Exception] = []

    async def ask(position: int, call: ChatCall) -> None:
        started = time.monotonic()
        try:
            answer = await _ask(mistral.without_progress(), call, schema)
        except MistralMcpError as error:
            errors.append(error.with_traceback(None))  # which would hold this list
            answer = ModelAnswer(model=call.model, seconds=0, error=str(error))
        answer.seconds = round(time.monotonic() - started, 3)
        answers[position] = answer
        if mistral.progress is not None:
            await mistral.progress.parts(len(answers), len(calls))

    async with anyio.create_task_group() as group:
        for position, call in enumerate(calls):
            group.start_soon(ask, position, call)
    return [answers[position] for position in range(len(calls))], errors


async def _ask(mistral: Mistral, call: ChatCall, schema: CallerSchema | None) -> ModelAnswer:
    reply = await complete(mistral, call)
    answer = ModelAnswer(
        model=call.model,
        text=reply.text,
        finish_reason=reply.finish_reason,
        seconds=0,
        usage=usage_of(mistral, reply.model or call.model, reply.usage),
    )
    try:
        answer.parsed = await parameters.parsed_answer(reply, schema)
    except AnswerMismatch as error:
        answer.error = error.what
    return answer


class WebAnswer(Result):
    """An answer, and its sources."""

    text: str
    kept: Maybe[Kept] = None
    sources: list[Source]
    model: str
    usage: ConversationUsage

    def to_text(self) -> str:
        return "\n\n".join(
            [self.text + kept_note(self.kept, self.text), *(source.line() for source in self.sources)]
        )


@toolset.tool("Search the web", effect="reads", charge=Charge())
async def mistral_web_search(
    mistral: Mistral,
    kept_results: KeptResults,
    query: Annotated[str, Field(description="Question.", min_length=1, max_length=100_000)],
    model: parameters.Model = None,
) -> WebAnswer:
    """Answer a question from the web, with sources. Nothing is stored."""
    chosen = model or mistral.settings.chat_model
    call = StartConversationCall(model=chosen, inputs=query, tools=[{"type": "web_search"}], store=False)
    reply = await converse(mistral, call, model=chosen)
    name = next((entry.model for entry in reversed(reply.outputs) if entry.model), chosen)
    text, kept = await keep_beginning(reply.text, kept_results)
    return WebAnswer(
        text=text,
        kept=kept,
        sources=sources_of(reply),
        model=name,
        usage=conversation_usage(mistral, name, reply),
    )
