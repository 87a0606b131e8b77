import { existsSync, writeFileSync } from 'node:fs';
import { FakeLnd } from './node.ts';

/**
 * `main PORT KEY CERT`: an LND on every address of its namespace. Leaves in the working directory what its owner would give
 * the gateway: gateway.macaroon, which makes and deletes others and announces; and broadcasts.json, what it announced.
 * While there is a file `off` it answers nobody.
 */
const [port, key = '', cert = ''] = process.argv.slice(2);
const lnd = new FakeLnd({ key, cert });
const rights = { macaroon: ['generate', 'write'], info: ['read'], peers: ['write'] };
lnd.broadcast = () => writeFileSync('broadcasts.json', JSON.stringify(lnd.broadcasts));
lnd.broadcast();
writeFileSync('gateway.macaroon', lnd.bakery.bake('7', rights));
lnd.misbehave = () => existsSync('off');
lnd.server.listen(Number(port));
