import { existsSync, writeFileSync } from 'node:fs';
import { FakeLnd } from './node.ts';

/**
 * `main PORT KEY CERT`: an LND on every address of its namespace. Leaves in the working directory what its owner would give
 * the gateway: gateway.macaroon, which makes and deletes others. While there is a file `off` it answers nobody.
 */
const [port, key = '', cert = ''] = process.argv.slice(2);
const lnd = new FakeLnd({ key, cert });
writeFileSync('gateway.macaroon', lnd.bakery.bake('7', { macaroon: ['generate', 'write'] }));
lnd.misbehave = () => existsSync('off');
lnd.server.listen(Number(port));
