// Licensed under the Apache License, Version 2.0 (see LICENSE).
// Requests of Node's http2 module to the server at the URL given; ends with "all checks passed".
'use strict';

const http2 = require('http2');
const assert = require('assert');

const session = http2.connect(process.argv[2], { rejectUnauthorized: false });
session.on('error', (error) => { throw error; });

function request(headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const parts = [];
    let response;
    stream.on('response', (fields) => { response = fields; });
    stream.on('data', (part) => parts.push(part));
    stream.on('error', reject);
    stream.on('end', () => resolve({ headers: response, body: Buffer.concat(parts) }));
    if (body !== undefined) stream.end(body);
  });
}

async function main() {
  const file = await request({ ':path': '/files/65537.bin' });
  assert.strictEqual(file.headers[':status'], 200);
  assert.strictEqual(file.body.length, 65537);
  for (let i = 0; i < file.body.length; i++) assert.strictEqual(file.body[i], i % 251);

  const many = await Promise.all(Array.from({ length: 100 }, (_, i) =>
    request({ ':path': '/page/asset' + i + '.js' })));
  for (const answer of many) assert.strictEqual(answer.headers[':status'], 200);

  const body = Buffer.alloc(1000000, 'x');
  const echo = await request({ ':path': '/h2test/echo', ':method': 'POST' }, body);
  assert.ok(echo.body.equals(body));

  const missing = await request({ ':path': '/missing' });
  assert.strictEqual(missing.headers[':status'], 404);

  await new Promise((resolve, reject) => {
    session.ping((error) => (error ? reject(error) : resolve()));
  });

  // A download that is cancelled leaves the connection as it was.
  await new Promise((resolve) => {
    const stream = session.request({ ':path': '/files/big.bin' });
    stream.once('data', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.on('close', resolve);
  });
  const after = await request({ ':path': '/ssi/part.txt' });
  assert.strictEqual(after.body.toString(), 'included\n');

  session.close();
  console.log('all checks passed');
}

main().catch((error) => { console.error(error); process.exit(1); });
