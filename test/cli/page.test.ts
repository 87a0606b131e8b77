import { afterEach, describe, expect, it } from 'vitest';
import type { Control } from '../../src/core/control.ts';
import type { Status, Way } from '../../src/core/status.ts';
import { cliGateway } from '../support/cli-gateway.ts';
import { condition, service, status, way } from '../support/recording-control.ts';

/** What the owner reads while a page at a public name is made. */
const URL = 'https://pay.example.com';
const EXPOSE = 'expose shop --via clearnet --domain pay.example.com'.split(' ');
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

function page(change: Partial<Way>): Way {
  const addresses = [{ url: URL, network: 'internet', clientNeeds: ['any browser'] }];
  return way({ provider: 'clearnet', address: URL, addresses, ...change });
}

const missing = (message: string): Way =>
  page({
    reachable: 'unknown',
    phase: 'pending',
    conditions: [condition('Accepted', 'yes'), condition('Published', 'no', message)],
  });
const visited = (reachable: Way['reachable'], detail: string): Way =>
  page({
    reachable,
    conditions: [condition('Published', 'yes', 'ready'), condition('Reachable', reachable, detail)],
  });

/** Each look at the status shows the next of these, and then the last for ever. */
async function gateway(kind: 'http' | 'btcpay', ...ways: Way[]) {
  let looks = 0;
  const look: Control['status'] = () => {
    const found = ways[Math.min(looks, ways.length - 1)];
    looks += 1;
    const seen: Status = status({
      services: [service('shop', { kind, port: 23_000, ways: found === undefined ? [] : [found] })],
    });
    return Promise.resolve(seen);
  };
  const made = await cliGateway({ status: look });
  open.push(made.close);
  return made;
}

describe('expose --via clearnet', () => {
  it('says what it waits for until the page was visited from outside', async () => {
    const record =
      'set this DNS record at whoever keeps the domain: name pay.example.com, type A, value 11.2.0.2';
    const { run } = await gateway(
      'http',
      missing(record),
      missing('there is no certificate for pay.example.com yet'),
      visited('unknown', 'not looked yet'),
      visited('yes', 'carried by 2 Tor exits'),
    );
    const { exitCode, stdout, stderr } = await run(...EXPOSE);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${URL} is open: carried by 2 Tor exits.`);
    expect(stderr).toContain('there is no certificate for pay.example.com yet');
  });

  it('does not wait where nobody wants to, and prints JSON alone', async () => {
    const { run } = await gateway('http', missing('later'));
    expect((await run(...EXPOSE, '--no-wait')).stdout).not.toContain(URL);
    const { stdout } = await run(...EXPOSE, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ generation: expect.any(Number) });
  });

  it('ends with 1 when the page cannot be', async () => {
    const rejected = page({ phase: 'rejected', conditions: [condition('Accepted', 'no', 'DomainTaken')] });
    const { run } = await gateway('http', rejected);
    expect((await run(...EXPOSE)).exitCode).toBe(1);
  });

  it('prints for BTCPay what to paste, with its name and port', async () => {
    const { run } = await gateway('btcpay', visited('yes', 'carried by 2 Tor exits'));
    for (const words of [EXPOSE, ['service', 'show', 'shop']]) {
      const { stdout } = await run(...words);
      expect(stdout).toContain('export BTCPAY_HOST="pay.example.com"');
      expect(stdout).toContain('export REVERSEPROXY_HTTP_PORT="23000"');
      expect(stdout).toContain('export TRUST_DOWNSTREAM_PROXY="true"');
    }
    const shop = await gateway('http', visited('yes', 'carried by 2 Tor exits'));
    expect((await shop.run('service', 'show', 'shop')).stdout).not.toContain('BTCPAY');
  });
});

describe('service show', () => {
  it('shows each way with all that is known of it, and where it must run', async () => {
    const { run } = await gateway('http', missing('there is no certificate for pay.example.com yet'));
    const { exitCode, stdout } = await run('service', 'show', 'shop');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`clearnet: ${URL}`);
    expect(stdout).toContain('Published no: there is no certificate for pay.example.com yet');
    expect(stdout).toContain('NetworkNamespacePath=/run/netns/gw-shop');
  });

  it('guesses what was meant', async () => {
    const { run } = await gateway('http');
    expect(await run('service', 'show', 'shp')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('did you mean shop?'),
    });
  });
});
