// What the scripts beside this one share: a connection of Apache's Node library, a record of the methods called, and
// values in a form that can be compared. A script is run as: node SCRIPT PORT GENERATED DIALECT [MORE...]
// where DIALECT is framed, unframed, header or http, a hyphen, and binary, compact or json. The variable TLS has the
// names of files, as {"ca": ..., "cert": ..., "key": ...}, where all of it is to be over TLS.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const Int64 = require("node-int64");
const thrift = require("thrift");

const [port, generated, dialect, ...more] = process.argv.slice(2);
const [transport, protocol] = dialect.split("-");
const PROTOCOLS = { binary: thrift.TBinaryProtocol, compact: thrift.TCompactProtocol, json: thrift.TJSONProtocol };
const HEADER_IDS = { binary: 0, compact: 2 };

/** What is in the files that TLS names, or null without it. */
const secrets = process.env.TLS ? read(JSON.parse(process.env.TLS)) : null;

function read(names) {
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, fs.readFileSync(name)]));
}

/** A module that Apache's compiler made. */
const load = (name) => require(path.join(generated, name));

function connect() {
  const options = {
    transport: transport === "framed" ? thrift.TFramedTransport : thrift.TBufferedTransport,
    protocol: transport === "header" ? thrift.THeaderProtocol : PROTOCOLS[protocol],
  };
  if (secrets && transport === "http") {
    return thrift.createHttpConnection("localhost", Number(port), { ...options, https: true, nodeOptions: secrets });
  }
  if (secrets) {
    return thrift.createSSLConnection("localhost", Number(port), { ...options, ...secrets });
  }
  const make = transport === "http" ? thrift.createHttpConnection : thrift.createConnection;
  return make("127.0.0.1", Number(port), options);
}

/** A client of a service; by what its name is, if it is multiplexed. */
function client(service, connection, multiplexer, name) {
  const made = multiplexer
    ? multiplexer.createClient(name, service, connection)
    : thrift.createClient(service, connection);
  if (transport === "header") {
    made.output.setProtocolId(HEADER_IDS[protocol]);
  }
  return made;
}

/** Connects, hands the connection to `scenario`, prints what it returns as JSON; any failure ends the process with 1. */
function run(scenario) {
  const connection = connect();
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  const start = async () => {
    try {
      const result = await scenario(connection);
      connection.removeAllListeners("close");
      if (transport !== "http") {
        connection.end();
      }
      console.log(JSON.stringify(result));
    } catch (error) {
      fail(error);
    }
  };
  connection.on("error", fail);
  if (transport === "http") {
    start(); // each call may have a connection of its own
  } else {
    connection.on("close", () => fail(new Error("the server closed the connection")));
    connection.on("connect", start);
  }
}

/** The client, and a set that is going to hold the names of the methods called. */
function record(client, called = new Set()) {
  const methods = (target, name) => {
    if (typeof target[name] === "function") {
      called.add(name);
    }
    return target[name];
  };
  return [new Proxy(client, { get: methods }), called];
}

/** A value without classes and unset fields; i64 as bigint. */
function plain(value) {
  if (value instanceof Int64) {
    return value.buffer.readBigInt64BE(value.offset);
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value)) {
    return value;
  }
  const set = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(set.map(([name, item]) => [name, plain(item)]));
}

function same(actual, expected) {
  assert.deepEqual(plain(actual), plain(expected));
}

/** An i64 as the library wants it. */
function i64(number) {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(number));
  return new Int64(buffer);
}

/** The call must be answered by this exception; its fields as an object. */
async function raises(type, promise) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error instanceof type, `expected ${type.name}, got ${error}`);
  return error;
}

/** The call must be answered by a TApplicationException of this kind, with these parts in its text. */
async function refused(kind, promise, ...parts) {
  const error = await raises(thrift.Thrift.TApplicationException, promise);
  assert.equal(error.type, thrift.Thrift.TApplicationExceptionType[kind], error.message);
  for (const part of parts) {
    assert.ok(error.message.includes(part), error.message);
  }
}

const UNICODE = "Zoë Žižek, 名前, עברית, 🦆\u200d, \u{10ffff}";
const CONTROLS = String.fromCharCode(...Array(32).keys()) + "\x7f\x80\u2028";
const EVERY_BYTE = Buffer.from([...Array(256).keys()]);

module.exports = {
  CONTROLS,
  EVERY_BYTE,
  UNICODE,
  client,
  i64,
  load,
  more,
  plain,
  protocol,
  raises,
  record,
  refused,
  run,
  same,
};
