"""`GET /v1/whoami`: the owner of the key."""

from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.state.libraries import OWNER

ORGANISATION = "00000000-0000-4000-8000-000000000003"
WORKSPACE = "00000000-0000-4000-8000-000000000001"


def whoami(call: Call) -> Reply:
    """The same person for every key; keys that begin with `priority` have a better tier."""
    tier = "free"
    if call.key.startswith("priority"):
        tier = "scale"
    person = {
        "principal_type": "user",
        "id": OWNER,
        "email": "person@example.com",
        "first_name": "Sandbox",
        "last_name": "Person",
    }
    organisation = {
        "id": ORGANISATION,
        "name": "Sandbox",
        "org_tier": tier,
        "internal": False,
        "kind": "S",
    }
    workspace = {"id": WORKSPACE, "name": "Default Workspace"}
    return json_reply({"principal": person, "organization": organisation, "workspace": workspace})


ENDPOINTS = (Endpoint("GET", "/v1/whoami", whoami),)
