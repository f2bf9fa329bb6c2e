"""upwire.js in Chromium, where the test plays its server and lets its time pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium")

from kit.chromium import CHROMIUM, DRIVER, Browser, running_chromium

CLIENT = Path(str(files("upwire.rooms"))) / "browser"
SCRIPTED = Path(__file__).with_name("scripted.js").read_text()
OCTETS_MAX = 6 * 1024

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"
)
Script = Callable[[str], Any]

LOAD = """
  const [scriptedText, clientText] = arguments;
  const load = (text) => {
    const blob = new Blob([text], { type: "text/javascript" });
    return import(URL.createObjectURL(blob));
  };
  const server = await load(scriptedText);
  globalThis.scripted = server.globals;
  const names = Object.keys(server.globals).join(", ");
  const { Client, RoomError } = await load(
    `const { ${names} } = globalThis.scripted;\\n${clientText}`,
  );
  const { sockets, latest, settle, pass, due, chanceIs, page } = server;
  /** What a target dispatches: [type, detail] pairs. */
  const note = (target, ...types) => {
    const noted = [];
    for (const type of types) {
      target.addEventListener(type, ({ detail }) => noted.push([type, detail]));
    }
    return noted;
  };
  const codeOf = (promise) => promise.then(() => "fine", (error) => error.code);
  const position = (offset, epoch = "e1") => ({ epoch, offset });
  const joined = (offset, more = {}) => ({
    position: position(offset), recovered: null, publications: [], ...more,
  });
  const push = (offset, data) => ({ push: "publication", room: "r", offset, data });
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.set_script_timeout(20)
        driver.get("about:blank")
        yield Browser(driver, "about:blank")


@pytest.fixture(params=["upwire.js", "upwire.min.js"])
def script(request: pytest.FixtureRequest, browser: Browser) -> Script:
    """Return what runs a script against a fresh client."""
    client = (CLIENT / request.param).read_text()
    return lambda text: browser.run(LOAD + text, SCRIPTED, client)


def test_the_minified_client_is_of_its_source_and_small() -> None:
    source, minified = (CLIENT / name for name in ("upwire.js", "upwire.min.js"))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]

    assert minified.read_text().startswith(f"// Upwire, BSD-3-Clause; of {digest}\n")
    assert minified.stat().st_size < OCTETS_MAX


@needs_chromium
def test_it_connects_and_joins(script: Script) -> None:
    told = script("""
      const client = new Client("../rooms");
      const states = note(client, "state", "rtt");
      const room = client.join("r", { info: { name: "Ada" }, history: 2, presence: true });
      const events = note(room, "ready", "publication");
      client.connect();
      await latest().welcome({ welcome: "hello" });
      await pass(5);
      await latest().reply("ping", {});
      await latest().reply("join", joined(7, {
        publications: [{ offset: 6, data: 1 }, { offset: 7, base64: "AQI=", publisher: "m2" }],
        presence: { m1: { name: "Ada" } },
      }));
      await latest().say({ push: "publication", room: "r", offset: 8, data: { a: 1 }, key: "k" });
      events[2][1].data = [...new Uint8Array(events[2][1].data)];
      return {
        url: latest().url, sent: latest().sent, states, events, id: client.id,
        position: room.position, members: [...room.members],
      };
    """)

    assert told["url"] == "wss://example.org/rooms"
    info = {"name": "Ada"}
    assert told["sent"] == [
        {"id": 1, "method": "connect", "version": 1},
        {"id": 2, "method": "ping"},
        {"id": 3, "method": "join", "room": "r", "info": info, "history": 2, "presence": True},
    ]
    assert told["states"] == [
        ["state", {"name": "connecting"}],
        ["state", {"name": "open", "welcome": "hello"}],
        ["rtt", 5],
    ]
    assert told["events"] == [
        ["ready", {"recovered": None}],
        ["publication", {"offset": 6, "data": 1, "key": "", "publisher": ""}],
        ["publication", {"offset": 7, "data": [1, 2], "key": "", "publisher": "m2"}],
        ["publication", {"offset": 8, "data": {"a": 1}, "key": "k", "publisher": ""}],
    ]
    assert told["id"] == "client 1"
    assert told["position"] == {"epoch": "e1", "offset": 8}
    assert told["members"] == [["m1", info]]


@needs_chromium
def test_a_binary_message_is_a_push_and_its_octets(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { window: 3 });
      const events = note(room, "publication");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      const text = '{"push":"publication","room":"r","offset":1}\\n\\n\\u0001';
      await latest().say(new TextEncoder().encode(text).buffer);
      return [[...new Uint8Array(events[0][1].data)], latest().commands("ack")];
    """)

    assert told == [[10, 1], [{"id": 4, "method": "ack", "room": "r", "offset": 1}]]


@needs_chromium
def test_delays_are_full_jitter_up_to_a_cap(script: Script) -> None:
    delays = script("""
      const client = new Client("/rooms", { firstDelayMs: 500, longestDelayMs: 15000 });
      client.connect();
      const delays = [];
      for (let attempt = 0; attempt < 16; attempt++) {
        chanceIs(attempt % 2 ? 0 : 0.999);
        await latest().lose();
        delays.push(due());
        await pass(due());
      }
      return delays;
    """)

    longest = [min(15000, 500 * 2**attempt) for attempt in range(16)]
    for attempt, (delay, most) in enumerate(zip(delays, longest, strict=True)):
        assert delay == (0 if attempt % 2 else pytest.approx(0.999 * most))


@needs_chromium
def test_a_loss_is_told_with_the_time_of_the_next_attempt(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const states = note(client, "state");
      client.connect();
      await latest().welcome();
      await latest().lose(1012, "restarting");
      const { retryAt } = client.state;
      const dueIn = due();
      await pass(due());
      await latest().lose(1006);
      return [states.map(([, { name, code }]) => [name, code]), retryAt - 1000, dueIn];
    """)

    states, retry_in_ms, due_in_ms = told
    waiting = ["waiting", 1012]  # the loss, not that the next attempt failed
    begun = [["connecting", None], ["open", None]]
    assert states == [*begun, waiting, ["connecting", None], waiting]
    assert retry_in_ms == due_in_ms == 250


@needs_chromium
def test_only_a_connection_that_lasts_makes_the_delays_short_again(script: Script) -> None:
    delays = script("""
      const client = new Client("/rooms");
      client.connect();
      const delays = [];
      for (const lasts of [0, 0, 6000, 0]) {
        await latest().welcome();
        await pass(lasts);
        await latest().lose();
        delays.push(due());
        await pass(due());
      }
      return delays;
    """)

    assert delays == [250, 500, 250, 500]


@needs_chromium
@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009])
def test_some_codes_stop_it(script: Script, code: int) -> None:
    told = script(f"""
      const client = new Client("/rooms");
      client.connect();
      await latest().welcome();
      await latest().lose({code}, "no");
      return [client.state, due()];
    """)

    assert told == [{"name": "stopped", "code": code, "reason": "no"}, None]


@needs_chromium
def test_a_server_of_another_version_stops_it(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.connect();
      latest().open();
      await settle();
      await latest().refuse("connect", "version", "we speak 2");
      return [client.state, latest().closedWith, due()];
    """)

    assert told == [{"name": "stopped", "code": 1008, "reason": "we speak 2"}, 1000, None]


@needs_chromium
def test_a_dead_link_is_noticed_and_a_busy_one_is_not(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.connect();
      await latest().welcome();
      await pass(9000);
      await latest().say({ push: "publication", room: "elsewhere" }); // a sign of life
      await pass(25999); // nothing since the ping at 25 s
      const before = client.state.name;
      await pass(1);
      return [before, client.state.name, client.state.reason, sockets[0].closedWith];
    """)

    assert told == ["open", "waiting", "no answer to a ping", 1000]


@needs_chromium
def test_an_attempt_without_an_answer_is_given_up(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.connect();
      latest().open();
      await pass(10000);
      return [client.state.name, client.state.reason];
    """)

    assert told == ["waiting", "no answer in time"]


@needs_chromium
def test_the_page_hurries_it(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.connect();
      await latest().lose();
      page.dispatchEvent(new Event("online"));
      const online = sockets.length;
      await latest().lose();
      page.hidden = true;
      page.dispatchEvent(new Event("visibilitychange"));
      const hidden = sockets.length;
      page.hidden = false;
      page.dispatchEvent(new Event("visibilitychange"));
      const shown = sockets.length;
      await latest().welcome();
      page.dispatchEvent(new Event("online"));
      return [online, hidden, shown, sockets.length, latest().commands("ping").length];
    """)

    assert told == [2, 2, 3, 3, 2]


@needs_chromium
def test_a_page_that_is_put_away_lets_go_and_comes_back(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.connect();
      await latest().welcome();
      page.dispatchEvent(new Event("pagehide"));
      const closed = [latest().closedWith, due()];
      page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
      const fresh = sockets.length;
      page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
      return [closed, fresh, sockets.length];
    """)

    assert told == [[1000, None], 1, 2]


@needs_chromium
def test_close_is_for_good(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      client.connect();
      await latest().welcome();
      const asked = codeOf(room.presence());
      client.close();
      page.dispatchEvent(new Event("online"));
      const closed = [client.state.name, due(), sockets.length, await asked];
      client.connect();
      await latest().welcome();
      return [closed, latest().commands("join").length];
    """)

    assert told == [["closed", None, 1, "closed"], 1]


@needs_chromium
def test_what_was_missed_comes_before_what_is_new(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { history: 5 });
      const events = note(room, "ready", "publication");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(3));
      await latest().say(push(4, "four"));
      await latest().lose();
      await pass(due());
      await latest().welcome();
      const since = latest().commands("join")[0].since;
      await latest().say(push(7, "seven")); // before its reply
      await latest().reply("join", joined(6, {
        recovered: true,
        publications: [{ offset: 5, data: "five" }, { offset: 6, data: "six" }],
      }));
      await latest().say(push(6, "six again"));
      const told = events.map(([, detail]) => detail.data ?? detail.recovered);
      return [since, told, room.position];
    """)

    since, events, position = told
    assert since == {"epoch": "e1", "offset": 4}
    assert events == [None, "four", True, "five", "six", "seven"]
    assert position == {"epoch": "e1", "offset": 7}


@needs_chromium
def test_a_new_epoch_is_told_and_then_what_there_is(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { since: position(40, "old") });
      const events = note(room, "ready", "publication");
      client.connect();
      await latest().welcome();
      await latest().reply("join", {
        position: position(2, "new"), recovered: false, publications: [{ offset: 2, data: "two" }],
      });
      await latest().say(push(3, "three"));
      return [events.map(([type, detail]) => detail.data ?? detail.recovered), room.position];
    """)

    assert told == [[False, "two", "three"], {"epoch": "new", "offset": 3}]


@needs_chromium
def test_a_position_that_is_kept_stays_as_it_was(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const since = position(4);
      const room = client.join("r", { since });
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(4, { recovered: true }));
      await latest().say(push(5, "five"));
      const kept = room.position;
      await latest().say(push(6, "six"));
      return [since.offset, kept.offset, room.position.offset];
    """)

    assert told == [4, 5, 6]


@needs_chromium
def test_what_the_server_dropped_is_asked_for(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const events = note(room, "ready", "publication");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(1));
      await latest().say({ push: "lost", room: "r" });
      await latest().say(push(5, "five"));
      const asked = latest().commands("recover");
      await latest().reply("recover", joined(4, {
        recovered: true, publications: [2, 3, 4].map((offset) => ({ offset, data: offset })),
      }));
      return [asked, events.map(([, detail]) => detail.data ?? detail.recovered)];
    """)

    asked, events = told
    since = {"epoch": "e1", "offset": 1}
    assert asked == [{"id": 4, "method": "recover", "room": "r", "since": since}]
    assert events == [None, True, 2, 3, 4, "five"]


@needs_chromium
def test_rooms_out_of_reach_are_asked_again(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const refused = note(room, "error");
      client.connect();
      await latest().welcome();
      await latest().refuse("join", "unavailable");
      await pass(1000);
      const asked = latest().commands("join").length;
      await latest().reply("join", joined(0));
      const published = room.publish("late");
      await latest().refuse("publish", "unavailable");
      await pass(1000);
      await latest().reply("publish", position(1));
      const keys = latest().commands("publish").map((command) => command.idempotency_key);
      return [asked, refused, await published, keys];
    """)

    asked, refused, published, keys = told
    assert (asked, refused, published) == (2, [], {"epoch": "e1", "offset": 1})
    assert len(keys) == 2
    assert len(set(keys)) == 1


@needs_chromium
def test_publishes_wait_for_the_room_and_are_sent_again(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const data = { text: "one" };
      const published = [room.publish(data, { key: "k" }), room.publish("two")];
      data.text = "changed since";
      client.connect();
      await latest().welcome();
      const early = latest().commands("publish").length;
      await latest().reply("join", joined(0));
      const first = latest().commands("publish");
      await latest().say({ id: first[0].id, result: position(1) });
      await latest().lose();
      await pass(due());
      await latest().welcome();
      await latest().reply("join", joined(2, { recovered: true }));
      const again = latest().commands("publish");
      await latest().say({ id: again[0].id, result: position(2) });
      return [early, first, again, await Promise.all(published)];
    """)

    early, first, again, positions = told
    assert early == 0
    assert [command["data"] for command in first] == [{"text": "one"}, "two"]
    assert [command.get("key") for command in first] == ["k", None]
    assert [command["data"] for command in again] == ["two"]
    assert again[0]["idempotency_key"] == first[1]["idempotency_key"]
    assert first[0]["idempotency_key"] != first[1]["idempotency_key"]
    assert [position["offset"] for position in positions] == [1, 2]


@needs_chromium
def test_the_queue_is_bounded(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms", { queueLimit: 2 });
      const room = client.join("r");
      const published = ["a", "b", "c"].map((data) => codeOf(room.publish(data)));
      const third = await published[2];
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      await latest().reply("publish", position(1));
      const fourth = room.publish("d");
      await settle();
      return [third, latest().commands("publish").map(({ data }) => data)];
    """)

    assert told == ["queue_full", ["a", "b", "d"]]


@needs_chromium
def test_what_json_cannot_carry_is_not_published(script: Script) -> None:
    told = script("""
      const room = new Client("/rooms").join("r");
      const loop = {};
      loop.loop = loop;
      const name = (promise) => promise.then(() => "fine", (error) => error.name);
      return [await name(room.publish(loop)), await name(room.publish(undefined))];
    """)

    assert told == ["TypeError", "SyntaxError"]


@needs_chromium
def test_a_refused_publish_rejects_alone(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      const refused = room.publish("bad").catch((error) => error);
      await latest().refuse("publish", "forbidden", "not you");
      const error = await refused;
      const next = room.publish("good");
      await latest().reply("publish", position(1));
      await next;
      return [error instanceof RoomError, error.name, error.code, error.message];
    """)

    assert told == [True, "RoomError", "forbidden", "not you"]


@needs_chromium
def test_a_refused_join_tells_the_room_and_its_publishes(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const errors = note(room, "error");
      const published = codeOf(room.publish("x"));
      client.connect();
      await latest().welcome();
      await latest().refuse("join", "forbidden", "members only");
      return [errors.map(([, error]) => error.code), await published, due()];
    """)

    codes, published, due = told
    assert (codes, published) == (["forbidden"], "forbidden")
    assert due is not None  # the connection goes on, and its pings


@needs_chromium
def test_members_are_kept_up_to_date(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { presence: true });
      const events = note(room, "joined", "left");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0, { presence: { m1: { name: "Ada" } } }));
      for (const said of [
        { push: "joined", member: "m2", info: { name: "Bob" } },
        { push: "joined", member: "m1", info: { name: "Countess" } },
        { push: "left", member: "m2" },
      ]) await latest().say({ room: "r", ...said });
      const presence = room.presence();
      await latest().reply("presence", { members: { m1: {} } });
      const history = room.history({ limit: 1 });
      await latest().reply("history", {
        position: position(4), complete: false, publications: [{ offset: 4, base64: "AA==" }],
      });
      const { complete, publications } = await history;
      return [
        events, [...room.members], await presence, complete, publications[0].data.byteLength,
      ];
    """)

    events, members, presence, is_complete, octets = told
    assert events == [
        ["joined", {"member": "m2", "info": {"name": "Bob"}, "before": None}],
        ["joined", {"member": "m1", "info": {"name": "Countess"}, "before": {"name": "Ada"}}],
        ["left", {"member": "m2", "info": None, "before": {"name": "Bob"}}],
    ]
    assert members == [["m1", {"name": "Countess"}]]
    assert (presence, is_complete, octets) == ({"m1": {}}, False, 1)


@needs_chromium
def test_an_update_is_sent_and_kept_for_the_next_join(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { info: { name: "Ada" } });
      await room.update({ window: 2 });
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      const shown = room.update({ info: { name: "Countess" } });
      await latest().reply("update", { info: { name: "Countess 2" } });
      const update = latest().commands("update");
      await latest().lose();
      await pass(due());
      await latest().welcome();
      const { info, window } = latest().commands("join")[0];
      return [update, info, window, await shown];
    """)

    update, info, window, shown = told
    assert update == [
        {"id": 4, "method": "update", "room": "r", "info": {"name": "Countess"}},
    ]
    assert (info, window) == ({"name": "Countess"}, 2)
    assert shown == {"name": "Countess 2"}


@needs_chromium
def test_a_room_that_was_left_can_be_joined_again(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      let twice = "";
      try {
        client.join("r");
      } catch (error) {
        twice = error.code;
      }
      client.connect();
      await latest().welcome();
      const published = codeOf(room.publish("x"));
      room.leave();
      client.join("r");
      const methods = latest().sent.map(({ method }) => method);
      return [twice, await published, methods];
    """)

    assert told == ["already_joined", "left", ["connect", "ping", "join", "leave", "join"]]


@needs_chromium
def test_a_room_that_is_left_tells_nothing_more(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { history: 1 });
      const events = note(room, "ready", "publication", "error");
      client.connect();
      await latest().welcome();
      room.leave();
      await latest().reply("join", joined(1, { publications: [{ offset: 1, data: "late" }] }));
      await latest().say(push(2, "later"));
      return [events, latest().commands("leave").length];
    """)

    assert told == [[], 1]


@needs_chromium
def test_an_error_without_an_id_is_told(script: Script) -> None:
    told = script("""
      const client = new Client(() => "https://elsewhere.example/rooms?token=1");
      const errors = note(client, "error");
      client.connect();
      await latest().welcome();
      await latest().say({ id: null, error: { code: "bad_request", text: "no JSON" } });
      await latest().say({ id: 99, result: {} }); // a reply to nothing
      return [latest().url, errors.map(([, error]) => error.message)];
    """)

    assert told == ["wss://elsewhere.example/rooms?token=1", ["no JSON"]]


@needs_chromium
def test_a_listener_may_join_a_room_or_close_when_it_is_open(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      client.addEventListener("state", function join({ detail }) {
        if (detail.name !== "open") return;
        client.removeEventListener("state", join);
        client.join("r");
      });
      client.connect();
      await latest().welcome();
      const joins = latest().commands("join").length;
      client.addEventListener("state", ({ detail }) => detail.name === "open" && client.close());
      client.connect();
      await latest().welcome();
      return [joins, client.state.name, due()];
    """)

    assert told == [1, "closed", None]


@needs_chromium
def test_a_welcome_that_is_none_is_given_up(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      addEventListener("unhandledrejection", (event) => event.preventDefault(), { once: true });
      client.connect();
      latest().open();
      await latest().reply("connect", null);
      await pass(10000);
      return client.state.name;
    """)

    assert told == "waiting"


@needs_chromium
def test_a_publish_out_of_reach_does_not_end_a_recovery(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const events = note(room, "publication");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      await latest().say({ push: "lost", room: "r" });
      await latest().refuse("recover", "unavailable");
      const published = room.publish("mine");
      await latest().refuse("publish", "unavailable");
      await pass(2000);
      await latest().reply("recover", joined(1, {
        recovered: true, publications: [{ offset: 1, data: "missed" }],
      }));
      await latest().reply("publish", position(2));
      return [events.map(([, { data }]) => data), await published];
    """)

    assert told == [["missed"], {"epoch": "e1", "offset": 2}]


@needs_chromium
def test_a_recovery_that_is_refused_keeps_nothing(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      const events = note(room, "publication", "error");
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(0));
      await latest().say({ push: "lost", room: "r" });
      await latest().refuse("recover", "internal");
      await latest().say(push(5, "five"));
      await latest().lose();
      await pass(due());
      await latest().welcome();
      const { since } = latest().commands("join")[0];
      return [events.map(([type]) => type), since.offset];
    """)

    assert told == [["error"], 0]


@needs_chromium
def test_an_update_follows_a_join_that_is_under_way(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r", { info: { name: "Ada" } });
      client.connect();
      await latest().welcome();
      const shown = room.update({ info: { name: "Countess" } });
      await latest().reply("join", joined(0));
      await latest().reply("update", { info: { name: "Countess" } });
      return [latest().sent.at(-1).method, await shown];
    """)

    assert told == ["update", {"name": "Countess"}]


@needs_chromium
def test_a_room_that_was_left_does_nothing_more(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      client.connect();
      await latest().welcome();
      await latest().refuse("join", "unavailable");
      room.leave();
      const published = await codeOf(room.publish("late"));
      await pass(2000);
      const joins = latest().commands("join").length;
      client.join("r");
      room.leave();
      let isJoined = false;
      try {
        client.join("r");
      } catch {
        isJoined = true;
      }
      return [published, joins, isJoined, latest().commands("leave").length];
    """)

    assert told == ["left", 1, True, 1]


@needs_chromium
@pytest.mark.parametrize("step", ["room.leave()", "client.close()"])
def test_a_listener_ends_what_is_told(script: Script, step: str) -> None:
    told = script(f"""
      const client = new Client("/rooms");
      const room = client.join("r", {{ history: 3 }});
      const events = note(room, "publication");
      room.addEventListener("publication", () => {step});
      client.connect();
      await latest().welcome();
      await latest().reply("join", joined(3, {{
        publications: [1, 2, 3].map((offset) => ({{ offset, data: offset }})),
      }}));
      return [events.map(([, {{ data }}]) => data), room.position.offset];
    """)

    assert told == [[1], 1]


@needs_chromium
def test_a_thousand_connections_leave_no_timer_and_no_command(script: Script) -> None:
    told = script("""
      const client = new Client("/rooms");
      const room = client.join("r");
      client.connect();
      for (let round = 0; round < 1000; round++) {
        latest().open();
        await null;
        if (round % 2) client.connect();
        else {
          await latest().lose();
          await pass(due());
        }
      }
      client.close();
      return [due(), sockets.filter(({ readyState }) => readyState !== 3).length];
    """)

    assert told == [None, 0]
