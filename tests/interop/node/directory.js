// Every method of the user directory, and each kind of answer. MORE: a user whose profile cannot be read.

"use strict";

const assert = require("node:assert/strict");
const thrift = require("thrift");
const peer = require("./peer");
const { CONTROLS, EVERY_BYTE, UNICODE, i64, load, plain, raises, refused, same } = peer;

const Directory = load("Directory");
const types = load("directory_types");
const { InvalidInput } = load("shared_types");
const { Address, AlreadyExists, Conflict, Contact, NotFound, Phone, Profile, Query, Role } = types;

const sorted = (user) => {
  const copy = plain(user);
  copy.profile.tags.sort();
  return copy;
};

peer.run(async (connection) => {
  const [client, called] = peer.record(thrift.createClient(Directory, connection));
  same(await client.ping(), undefined);
  const about = await client.about();
  assert.equal(about.name, "Directory");
  assert.ok(about.started > 1.7e12);

  const ada = await create(client);
  const zoe = await createFull(client);
  await look(client, ada, zoe);
  await invalid(client, ada);
  const newer = await update(client, zoe);

  await client.seen(zoe.id);
  const seen = await client.get(zoe.id);
  assert.ok(seen.last_seen >= newer.created);
  assert.equal(seen.version, 2);
  await client.seen(404);

  await refused("INTERNAL_ERROR", client.get(i64(peer.more[0])), "internal error, id ");
  await refused("UNKNOWN_METHOD", client.rename(ada.id, "Eve"), "rename", "Directory");
  await client.ping();

  assert.equal(await client.remove(ada.id), true);
  assert.equal(await client.remove(ada.id), false);
  same(await client.get_many([ada.id, zoe.id]), { [zoe.id]: seen });
  return { called: [...called], worker: about.worker };
});

async function create(client) {
  const ada = await client.create(new Profile({ login: "ada", name: "Ada" }));
  const profile = { login: "ada", name: "Ada", role: Role.MEMBER, contacts: [], tags: [], links: {} };
  same(ada, { id: ada.id, version: 1, created: ada.created, profile });
  const taken = await raises(AlreadyExists, client.create(new Profile({ login: "ada", name: "Another" })));
  assert.equal(taken.login, "ada");
  return ada;
}

async function createFull(client) {
  const full = {
    login: "zoe",
    name: UNICODE,
    role: Role.OWNER,
    about: CONTROLS,
    contacts: [
      new Contact({ email: "zoe@example.org" }),
      new Contact({ phone: new Phone({ number: "+49 30 123456", extension: "7" }) }),
      new Contact({ address: new Address({ lines: ["Pumpe 7", ""], city: "Łódź", country: "PL" }) }),
      new Contact({ address: new Address({ lines: [], city: "Köln" }) }),
    ],
    tags: ["a", "b c", "日本"],
    links: { home: "https://example.org/?q=ü", "": "" },
    picture: EVERY_BYTE,
  };
  const zoe = await client.create(new Profile({ ...full, homes: { summer: [new Address({ city: "y" })] } }));
  same(sorted(zoe), { id: zoe.id, version: 1, created: zoe.created, profile: full });
  same(sorted(await client.find("zoe")), sorted(zoe));
  return zoe;
}

async function look(client, ada, zoe) {
  const noId = await raises(NotFound, client.get(404));
  same([noId.id, noId.login], [404n, null]);
  const noLogin = await raises(NotFound, client.find(UNICODE));
  assert.deepEqual([noLogin.id, noLogin.login], [null, UNICODE]);
  assert.deepEqual(Object.keys(await client.get_many([zoe.id, i64(404), ada.id])), [`${ada.id}`, `${zoe.id}`]);
  same(await client.get_many([]), {});

  const search = async (query, after, limit) => {
    const page = await client.search(new Query(query), after, limit);
    return [page.users.map((user) => user.profile.login), plain(page.next_after)];
  };
  same(await search({}), [["ada", "zoe"], null]);
  same(await search({}, undefined, 1), [["ada"], ada.id]);
  same(await search({}, ada.id, 1), [["zoe"], null]);
  same(await search({}, zoe.id), [[], null]);
  same(await search({ text: "žIŽ" }), [["zoe"], null]);
  same(await search({ roles: [Role.MEMBER, 1000] }), [["ada"], null]);
  same(await search({ tags: ["日本", "a"] }), [["zoe"], null]);
  const wrong = await raises(InvalidInput, search({}, 0, 501));
  assert.equal(wrong.field, "limit");

  const statistics = plain(await client.statistics());
  assert.deepEqual(statistics, {
    users: 3n,
    by_role: { [Role.GUEST]: 1n, [Role.MEMBER]: 1n, [Role.OWNER]: 1n },
    by_tag: { a: 1n, "b c": 1n, 日本: 1n },
  });
}

async function invalid(client, ada) {
  const bad = [
    ["profile.login", { login: "root" }],
    ["profile.role", { role: 77 }],
    ["profile.contacts[0]", { contacts: [new Contact({ fax: "a kind of contact from the future" })] }],
  ];
  for (const [field, change] of bad) {
    const profile = new Profile({ login: "eve", name: "Eve", ...change });
    const error = await raises(InvalidInput, client.create(profile));
    assert.equal(error.field, field);
    assert.ok(error.problem);
    await raises(InvalidInput, client.update(ada.id, ada.version, profile));
  }
}

async function update(client, zoe) {
  const profile = new Profile({ login: "zoe2", name: "Zoe", role: Role.OWNER, tags: ["b c"] });
  const newer = await client.update(zoe.id, zoe.version, profile);
  same(newer, { id: zoe.id, version: 2, created: zoe.created, profile });
  const conflict = await raises(Conflict, client.update(zoe.id, zoe.version, profile));
  same(conflict.current, newer);
  await raises(NotFound, client.update(i64(404), 1, profile));
  await raises(AlreadyExists, client.update(zoe.id, 2, new Profile({ login: "ada", name: "Zoe" })));
  return newer;
}
