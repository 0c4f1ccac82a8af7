"""Whose key this is. Only what is no person's is read.

Source: `GET /v1/whoami`.
"""

from mistral_mcp.mistral.call import Call, Reply


class Organization(Reply):
    name: str | None = None
    org_tier: str | None = None


class Workspace(Reply):
    name: str | None = None


class WhoAmI(Reply):
    organization: Organization | None = None
    workspace: Workspace | None = None


class WhoAmICall(Call[WhoAmI]):
    path = "/v1/whoami"
    method = "GET"
    repeatable = True
