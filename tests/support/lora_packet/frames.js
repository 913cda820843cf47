// Prints N frames with their keys and payloads, one JSON object a line: `node frames.js N SEED`.
// Everything is drawn from a seeded generator, so that a failure can be seen again. fOpts: in clear.
"use strict";
const crypto = require("crypto");
const LoraPacket = require("lora-packet");
const { decryptFOpts } = require("lora-packet/out/lib/crypto"); // not among what it exports

const [count, seed] = process.argv.slice(2).map(Number);
let state = Buffer.from(`lora-packet ${seed}`);
function bytes(n) {
  const parts = [];
  for (let have = 0; have < n; have += 32) {
    state = crypto.createHash("sha256").update(state).digest();
    parts.push(state);
  }
  return Buffer.concat(parts).subarray(0, n);
}
const below = (n) => bytes(4).readUInt32LE(0) % n;
const chance = (n) => below(n) === 0;

function data(number) {
  const high = chance(3) ? below(65536) : 0;
  const keys = [bytes(16), bytes(16), bytes(16), bytes(16)];
  const version = chance(3) ? "1.1" : "1.0";
  const port = chance(10) ? 0 : 1 + below(223);
  const frame = {
    version, port, payload: bytes(below(10) === 0 ? 200 + below(30) : below(60)), devAddr: bytes(4), high,
    low: chance(20) ? 65535 : below(65536), confirmed: chance(4), fOpts: port === 0 ? Buffer.alloc(0) : bytes(below(5)),
    ADR: chance(2), ACK: chance(5), ADRACKReq: chance(6), appSKey: keys[0],
  };
  return version === "1.0" ? data10(frame, keys) : data11(frame, keys);
}

function fields(frame) {
  return {
    MType: frame.confirmed ? "Confirmed Data Up" : "Unconfirmed Data Up", DevAddr: frame.devAddr, FCnt: frame.low,
    FPort: frame.port, FOpts: frame.fOpts, payload: frame.payload,
    FCtrl: { ADR: frame.ADR, ACK: frame.ACK, ADRACKReq: frame.ADRACKReq },
  };
}

const msb = (frame) => Buffer.from([frame.high & 0xff, frame.high >> 8]);

function data10(frame, [, nwkSKey]) {
  const packet = LoraPacket.fromFields(fields(frame), frame.appSKey, nwkSKey, undefined, msb(frame));
  return line(frame, packet, { f: nwkSKey, s: nwkSKey, e: nwkSKey });
}

// In LoRaWAN 1.1, lora-packet takes FNwkSIntKey and SNwkSIntKey in the places of NwkSKey and AppKey, and under port 0
// NwkSEncKey in the place of AppSKey.
function data11(frame, [, f, s, e]) {
  const extra = Buffer.concat([frame.ACK ? bytes(2) : Buffer.alloc(2), Buffer.from([below(6), below(16)])]);
  const cipher = frame.port === 0 ? e : frame.appSKey;
  const packet = LoraPacket.fromFields(fields(frame), cipher, f, s, msb(frame), extra);
  return line({ ...frame, fOpts: decryptFOpts(packet, e, msb(frame)) }, packet, { f, s, e });
}

function line(frame, packet, keys) {
  return {
    version: frame.version, phy: packet.PHYPayload.toString("hex"), devAddr: frame.devAddr.toString("hex"),
    fCnt: frame.high * 65536 + frame.low, port: frame.port, payload: frame.payload.toString("hex"),
    fOpts: frame.fOpts.toString("hex"), confirmed: frame.confirmed, appSKey: frame.appSKey.toString("hex"),
    fNwkSIntKey: keys.f.toString("hex"), sNwkSIntKey: keys.s.toString("hex"), nwkSEncKey: keys.e.toString("hex"),
  };
}

for (let number = 0; number < count; number += 1) console.log(JSON.stringify(data(number)));
