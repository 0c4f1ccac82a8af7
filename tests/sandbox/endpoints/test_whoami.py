"""The owner of the key."""

import httpx2


async def test_a_key_has_a_person_an_organisation_and_a_workspace(api: httpx2.AsyncClient):
    answer = (await api.get("/v1/whoami")).json()
    assert answer["principal"]["principal_type"] == "user"
    assert (answer["organization"]["name"], answer["organization"]["org_tier"]) == ("Sandbox", "free")
    better = (await api.get("/v1/whoami", headers={"authorization": "Bearer priority-key"})).json()
    assert better["organization"]["org_tier"] == "scale"
    assert (await api.get("/v1/whoami", headers={"authorization": "Bearer invalid-key"})).status_code == 401
