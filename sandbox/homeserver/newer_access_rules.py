"""The newer flavour of Tchap's access rules, for tests.

Tchap's homeservers run a newer access-rules module than the one that is published, and it is not
published as a package. This one behaves as the newer one was seen to, as far as an application
service that makes private rooms can tell:

- a room gets `visibility` in its access rules, equal to the request's;
- a private room is encrypted unless it is a `private_chat` that says
  `force_unencrypted_at_creation: true`;
- history is `invited` in a private room and `shared` in a public one unless the request says;
- externals make no rooms; they have no power in rooms that are open to them;
- the rule may go from `restricted` to `unrestricted` only, and an event that changes it repeats
  the other keys; the same rule may be sent again;
- forbidden events are refused as « probable spam ». Memberships of local people do not pass
  that check in Synapse, so invitations do not;
- a sender in `bypass_for_users` and a server administrator are let pass with nothing added.
"""

from __future__ import annotations

from typing import Any

from synapse.api.errors import Codes, SynapseError
from synapse.module_api import NOT_SPAM, ModuleApi

RULES_EVENT = "im.vector.room.access_rules"
RESTRICTED, UNRESTRICTED, DIRECT = "restricted", "unrestricted", "direct"
FORCE_UNENCRYPTED = "force_unencrypted_at_creation"

LEVELS = {
    "users_default": 0,
    "events_default": 0,
    "state_default": 100,
    "ban": 50,
    "kick": 50,
    "redact": 50,
    "invite": 50,
    "events": {
        "m.room.name": 50,
        "m.room.avatar": 50,
        "m.room.canonical_alias": 50,
        "m.room.power_levels": 100,
        "m.room.history_visibility": 100,
        "m.room.tombstone": 100,
        "m.room.server_acl": 100,
        "m.room.encryption": 100,
        "m.beacon_info": 0,
        "org.matrix.msc3672.beacon_info": 0,
        "m.call.member": 0,
        "org.matrix.msc3401.call.member": 0,
    },
}


class NewerAccessRules:
    """`config`: `domains_forbidden_when_restricted` and `bypass_for_users`, both lists."""

    def __init__(self, config: dict, api: ModuleApi) -> None:
        self._api = api
        self._externals = set(config.get("domains_forbidden_when_restricted", []))
        self._bypass = set(config.get("bypass_for_users", []))
        api.register_third_party_rules_callbacks(
            on_create_room=self.on_create_room,
            check_visibility_can_be_modified=self.check_visibility_can_be_modified,
        )
        api.register_spam_checker_callbacks(check_event_for_spam=self.check_event_for_spam)

    # Making a room

    async def on_create_room(self, requester: Any, request: dict, is_admin: bool) -> None:
        creator = requester.user.to_string()
        if is_admin or creator in self._bypass:
            return
        if self._is_external(creator):
            raise SynapseError(403, "External users cannot create rooms", Codes.FORBIDDEN)

        state = request.setdefault("initial_state", [])
        public = request.get("visibility") == "public"
        preset = request.get("preset") or ("public_chat" if public else "private_chat")
        rules = self._rules_of(request, state, public)
        self._check_levels(request, rules["rule"], preset, creator)

        if not _content(state, "m.room.history_visibility"):
            history = "shared" if public else "invited"
            _add(state, "m.room.history_visibility", {"history_visibility": history})
        unencrypted = preset == "private_chat" and rules.get(FORCE_UNENCRYPTED) is True
        if not (public or unencrypted or _content(state, "m.room.encryption")):
            _add(state, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})

    def _rules_of(self, request: dict, state: list[dict], public: bool) -> dict:
        direct = bool(request.get("is_direct"))
        rules = _content(state, RULES_EVENT)
        if rules is None:
            rules = _add(state, RULES_EVENT, {"rule": DIRECT if direct else RESTRICTED})
        rule = rules.get("rule")
        if rule not in (RESTRICTED, UNRESTRICTED, DIRECT) or direct != (rule == DIRECT):
            raise SynapseError(400, "Invalid access rule")
        visibility = "public" if public else "private"
        if rules.setdefault("visibility", visibility) != visibility:
            raise SynapseError(400, "Invalid access rule")
        return rules

    def _check_levels(self, request: dict, rule: str, preset: str, creator: str) -> None:
        levels = request.setdefault("power_level_content_override", {})
        least_invite = 0 if preset == "public_chat" else 50
        too_weak = levels.get("invite", 50) < least_invite or levels.get("state_default", 100) < 100
        users = levels.get("users", {})
        if too_weak or (rule == UNRESTRICTED and self._gives_power(levels)):
            raise SynapseError(400, "Invalid power levels content override")
        _fill({"users": {creator: 100} if not users else {}, **LEVELS}, levels)

    def _gives_power(self, levels: dict) -> bool:
        users = levels.get("users", {})
        return levels.get("users_default", 0) != 0 or any(
            level != 0 and self._is_external(user) for user, level in users.items()
        )

    # Changing one

    async def check_event_for_spam(self, event: Any) -> Any:
        if not event.is_state() or event.type == "m.room.member" or event.sender in self._bypass:
            return NOT_SPAM
        # Events of a room's making come in one batch, before the room has a state.
        state = await self._state(event.room_id)
        rules = state.get((RULES_EVENT, ""))
        if rules is None:
            return NOT_SPAM
        return NOT_SPAM if self._is_allowed(event, rules, state) else Codes.FORBIDDEN

    def _is_allowed(self, event: Any, rules: dict, state: dict) -> bool:
        content, rule = event.content, rules.get("rule")
        forum = rules.get("visibility") == "public"
        if event.type == RULES_EVENT:
            ways = {(rule, rule), (RESTRICTED, UNRESTRICTED)}
            kept = all(content.get(k) == rules.get(k) for k in ("visibility", FORCE_UNENCRYPTED))
            opened = content.get("rule") == UNRESTRICTED
            may_open = not (forum or self._gives_power(state.get(("m.room.power_levels", ""), {})))
            return (rule, content.get("rule")) in ways and kept and (may_open or not opened)
        if event.type == "m.room.power_levels":
            return rule != UNRESTRICTED or not self._gives_power(content)
        if event.type in ("m.room.name", "m.room.topic", "m.room.avatar"):
            return rule != DIRECT
        if event.type == "m.room.encryption":
            return not forum
        if event.type == "m.room.join_rules":
            public = content.get("join_rule") == "public"
            return public if forum else not (public and rule == DIRECT)
        return True

    async def _state(self, room_id: str) -> dict:
        wanted = [(RULES_EVENT, ""), ("m.room.power_levels", "")]
        found = await self._api.get_room_state(room_id, wanted)
        return {key: event.content for key, event in found.items()}

    async def check_visibility_can_be_modified(
        self, room_id: str, state_events: Any, new_visibility: str
    ) -> bool:
        # While a room is made it has no state yet; its rule was looked at before.
        rules = state_events.get((RULES_EVENT, ""))
        restricted = rules is None or rules.content.get("rule") == RESTRICTED
        return new_visibility == "private" or restricted

    def _is_external(self, user: str) -> bool:
        return user.split(":", 1)[-1] in self._externals


def _content(state: list[dict], kind: str) -> dict | None:
    return next((e["content"] for e in state if e["type"] == kind), None)


def _add(state: list[dict], kind: str, content: dict) -> dict:
    state.append({"type": kind, "state_key": "", "content": content})
    return content


def _fill(defaults: dict, given: dict) -> None:
    """Puts in what is not there, table by table."""
    for key, value in defaults.items():
        if isinstance(value, dict):
            _fill(value, given.setdefault(key, {}))
        else:
            given.setdefault(key, value)
