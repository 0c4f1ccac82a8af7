"""`/v1/agents`: stored agents, and the deprecated completions of an agent without a conversation."""

import re
from typing import Annotated, Any

from pydantic import Field

from mistral_mcp.sandbox.endpoints.chat import answer_chat
from mistral_mcp.sandbox.protocol.chat_request import ChatRequest, CompletionArgs, CompletionFields, Guardrail
from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.entries import ConversationTool
from mistral_mcp.sandbox.protocol.errors import detail_error, invalid_fields, refusal
from mistral_mcp.sandbox.protocol.messages import SystemMessage
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Lax, Metadata, MetadataFilter, Paging, Strict
from mistral_mcp.sandbox.state.agents import Agent, Agents
from mistral_mcp.sandbox.state.conversations import AGENT_MODEL
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

AGENT = re.compile(r"^ag[_:](?!.*unknown)")
ALIAS = r"^[a-z]([a-z0-9_-]*[a-z0-9])?$"


class AgentRequest(CompletionFields):
    agent_id: str


class AgentFields(Strict):
    description: str | None = None
    instructions: str | None = None
    tools: list[ConversationTool] = []
    completion_args: CompletionArgs = CompletionArgs()
    guardrails: list[Guardrail] | None = None
    handoffs: Annotated[list[str], Field(min_length=1)] | None = None
    metadata: Metadata | None = None
    version_message: Annotated[str, Field(max_length=500)] | None = None
    deployment_chat: bool | None = None


class NewAgent(AgentFields):
    model: str
    name: str


class AgentChanges(AgentFields):
    model: str | None = None
    name: str | None = None


class AgentPages(Lax):
    page_size: Annotated[int, Field(ge=1, le=1000)] = 20
    page_token: str | None = None
    name: str | None = None
    search: str | None = None
    id: str | None = None
    metadata: MetadataFilter = {}

    def matches(self, agent: Agent) -> bool:
        settings = agent.settings()
        text = f"{settings['name']} {settings.get('description') or ''}"
        return (
            self.name in (None, settings["name"])
            and self.id in (None, agent.id)
            and (self.search or "").lower() in text.lower()
            and self.metadata.items() <= (settings.get("metadata") or {}).items()
        )


class Version(Lax):
    version: int


class ChosenVersion(Lax):
    agent_version: str | None = None


class Alias(Lax):
    alias: Annotated[str, Field(min_length=1, max_length=64, pattern=ALIAS)]


class AliasOf(Alias):
    version: int


class VersionPages(Paging):
    page_size: Annotated[int, Field(ge=1, le=100)] = 20


def check_agent(account: Account, agent_id: str) -> Agent | None:
    """The agent with this id; None if it was not created here.

    Any id that looks like an agent's is accepted, except those that contain `unknown`, which are 404.
    """
    agent = account.section(Agents).find(agent_id)
    if agent is None and not AGENT.match(agent_id):
        raise refusal(404, f"Agent {agent_id} not found.", "not_found_error")
    return agent


def complete(call: Call) -> Reply:
    """Answer with the agent's model and instructions."""
    body = call.body(AgentRequest)
    agent = check_agent(call.account, body.agent_id)
    settings: dict[str, Any] = {"model": AGENT_MODEL}
    if agent:
        settings = agent.settings()

    fields: dict[str, Any] = {name: value for name, value in body if name != "agent_id"}
    if settings.get("instructions"):
        fields["messages"] = [SystemMessage(role="system", content=settings["instructions"]), *body.messages]
    return answer_chat(call, ChatRequest.model_construct(model=settings["model"], **fields))


def create(call: Call) -> Reply:
    body = call.body(NewAgent, invalid_fields)
    require_model(call.account, body.model, "completion_chat")
    agent_id = f"ag_{call.account.new_id('agent').replace('-', '')}"
    agent = Agent(agent_id, [{**_settings(body), "updated_at": iso_time()}])
    return json_reply(call.account.section(Agents).put(agent.id, agent).card())


def list_agents(call: Call) -> Reply:
    """The older form of the list: a JSON array, newest first."""
    query = call.query(VersionPages)
    found = call.account.section(Agents).newest_first()
    return json_reply([agent.card() for agent in query.cut(found)])


def list_pages(call: Call) -> Reply:
    query = call.query(AgentPages)
    found = [agent for agent in call.account.section(Agents).newest_first() if query.matches(agent)]
    start = _start_of(query.page_token)
    end = start + query.page_size
    following = None
    if end < len(found):
        following = str(end)
    cards = [agent.card() for agent in found[start:end]]
    return json_reply({"object": "list", "data": cards, "next_page_token": following})


def get_agent(call: Call) -> Reply:
    return json_reply(_agent(call).card(call.query(ChosenVersion).agent_version))


def update(call: Call) -> Reply:
    """Change only the members that were sent."""
    body, agent = call.body(AgentChanges, invalid_fields), _agent(call)
    settings = _settings(body)
    agent.change({name: settings[name] for name in body.model_fields_set if name in settings})
    return json_reply(agent.card())


def delete(call: Call) -> Reply:
    call.account.section(Agents).remove(call.params["agent_id"])
    return Reply(204)


def switch_version(call: Call) -> Reply:
    agent = _agent(call)
    agent.current = agent.resolve_version(call.query(Version).version)
    return json_reply(agent.card())


def list_versions(call: Call) -> Reply:
    agent = _agent(call)
    cards = [agent.card(number) for number in reversed(range(len(agent.versions)))]
    return json_reply(call.query(VersionPages).cut(cards))


def get_version(call: Call) -> Reply:
    return json_reply(_agent(call).card(call.params["version"]))


def list_aliases(call: Call) -> Reply:
    return json_reply(list(_agent(call).aliases.values()))


def put_alias(call: Call) -> Reply:
    query, agent = call.query(AliasOf), _agent(call)
    known = agent.aliases.get(query.alias)
    alias = {
        "alias": query.alias,
        "version": agent.resolve_version(query.version),
        "created_at": known["created_at"] if known else iso_time(),
        "updated_at": iso_time(),
    }
    agent.aliases[query.alias] = alias
    return json_reply(alias)


def delete_alias(call: Call) -> Reply:
    if _agent(call).aliases.pop(call.query(Alias).alias, None) is None:
        raise detail_error(404, "Alias not found")
    return Reply(204)


def _agent(call: Call) -> Agent:
    return call.account.section(Agents).get(call.params["agent_id"])


def _settings(body: AgentFields) -> dict[str, Any]:
    return body.model_dump(
        by_alias=True,
        exclude_none=True,
        exclude={"deployment_chat"},
    )


def _start_of(token: str | None) -> int:
    """The index of the first agent on the page with this token. 422 if the token is invalid."""
    if token is None:
        return 0
    if not token.isdecimal():
        raise detail_error(422, "page_token is not one of ours")
    return int(token)


AGENT_PATH = "/v1/agents/{agent_id}"

ENDPOINTS = (
    Endpoint("POST", "/v1/agents/completions", complete),
    Endpoint("GET", "/v1/agents", list_agents),
    Endpoint("POST", "/v1/agents", create),
    Endpoint("GET", "/v1/agents/pages", list_pages),
    Endpoint("GET", AGENT_PATH, get_agent),
    Endpoint("PATCH", AGENT_PATH, update),
    Endpoint("DELETE", AGENT_PATH, delete),
    Endpoint("PATCH", f"{AGENT_PATH}/version", switch_version),
    Endpoint("GET", f"{AGENT_PATH}/versions", list_versions),
    Endpoint("GET", f"{AGENT_PATH}/versions/{{version}}", get_version),
    Endpoint("GET", f"{AGENT_PATH}/aliases", list_aliases),
    Endpoint("PUT", f"{AGENT_PATH}/aliases", put_alias),
    Endpoint("DELETE", f"{AGENT_PATH}/aliases", delete_alias),
)
