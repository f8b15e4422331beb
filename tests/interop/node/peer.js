// What the scripts beside this one share: a connection of Apache's Node library, a record of the methods called, and
// values in a form that can be compared. A script is run as: node SCRIPT PORT GENERATED [MORE...]

"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const Int64 = require("node-int64");
const thrift = require("thrift");

const [port, generated, ...more] = process.argv.slice(2);

/** A module that Apache's compiler made. */
const load = (name) => require(path.join(generated, name));

/** Connects, hands the connection to `scenario`, prints what it returns as JSON; any failure ends the process with 1. */
function run(scenario) {
  const connection = thrift.createConnection("127.0.0.1", Number(port), {
    transport: thrift.TFramedTransport,
    protocol: thrift.TBinaryProtocol,
  });
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  connection.on("error", fail);
  connection.on("close", () => fail(new Error("the server closed the connection")));
  connection.on("connect", async () => {
    try {
      const result = await scenario(connection);
      connection.removeAllListeners("close");
      connection.end();
      console.log(JSON.stringify(result));
    } catch (error) {
      fail(error);
    }
  });
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

module.exports = { CONTROLS, EVERY_BYTE, UNICODE, i64, load, more, plain, raises, record, refused, run, same };
