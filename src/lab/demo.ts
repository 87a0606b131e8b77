import { join } from 'node:path';
import type { Status } from '../core/status.ts';
import { GatewayError } from '../core/errors.ts';
import { LabGateway } from './actors/gateway.ts';
import { Phone } from './actors/phone.ts';
import { TorVisitor } from './actors/visitor.ts';
import { startLab, type Lab } from './index.ts';

/** What the demo proved, in the words of those who did it. */
export interface Demo {
  readonly lab: Lab;
  readonly gateway: LabGateway;
  readonly phone: Phone;
  readonly visitor: TorVisitor;
  readonly status: Status;
  /** What the printed QR code says: decoded from its picture by the phone. */
  readonly conf: string;
  readonly seen: { readonly byPhone: string; readonly byVisitor: string };
}

interface Watch {
  readonly progress: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Public side of the home's router, whose one static forward leads to the gateway (topologies/demo.ts). */
const ENDPOINT = '11.2.0.2:51820';

const CONFIG = `# The demo's home: one shop, reached over Tor and by scanning a WireGuard QR code.
wireguard:
  endpoint: ${ENDPOINT}
services:
  shop:
    port: 80
    kind: http
    expose:
      wireguard: {}
      tor: {}
    fallback: [wireguard, tor]
`;

/**
 * An internet in a box, a home with a shop in a namespace of its own, the gateway at work there; a phone elsewhere
 * scans the QR code, a visitor elsewhere opens the onion. Resolves when both have seen the shop and the gateway has
 * proved both ways. The caller stops the lab.
 */
export async function startDemo(watch: Watch): Promise<Demo> {
  const { progress, signal } = watch;
  progress('building an internet in a box: home, router, phone, visitor, a Tor network');
  const lab = await startLab('demo', { progress, signal });
  try {
    if (!lab.usersMapped) throw usersMissing(lab);
    return await play(lab, watch);
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** The gateway at home runs its parts as users of their own, and will not do with less. */
function usersMissing({ limits }: Lab): GatewayError {
  return new GatewayError(`the demo needs users of its own inside the box; ${limits.join('; ')}`, {
    code: 'NotSupported',
    retry: 'never',
  });
}

async function play(lab: Lab, { progress, signal }: Watch): Promise<Demo> {
  const visitor = await TorVisitor.start(lab, 'visitor');
  const gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  progress('starting the gateway at home');
  await gateway.command(signal, 'up');
  progress('opening the shop, in a network namespace of its own');
  await gateway.runShop('shop', 80);
  const byPhone = usePhone(lab, gateway, { progress, signal });
  const byVisitor = useTor(visitor, gateway, { progress, signal });
  const [phone, visitorSaw] = await Promise.all([byPhone, byVisitor]);
  progress('waiting until the gateway has proved both ways itself');
  const status = await gateway.until(
    'the proof of both ways',
    ({ services }) =>
      services.every(({ ways }) => ways.length === 2 && ways.every(({ reachable }) => reachable === 'yes')),
    signal,
    PROOF_MS,
  );
  const { conf, page } = phone;
  return {
    lab,
    gateway,
    phone: phone.phone,
    visitor,
    status,
    conf,
    seen: { byPhone: page, byVisitor: visitorSaw },
  };
}

async function usePhone(lab: Lab, gateway: LabGateway, { progress, signal }: Watch) {
  const png = join(lab.directory, 'phone.png');
  await gateway.command(signal, 'device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', png);
  progress('the phone, on another network, scans the QR code');
  const phone = new Phone(lab.node('phone'));
  const conf = await phone.scan(png, signal);
  const url = await addressOf(gateway, 'wireguard', signal);
  const page = await shopPage(() => phone.open(url, signal), signal);
  progress(`the phone opened ${url}`);
  return { phone, conf, page };
}

async function useTor(
  visitor: TorVisitor,
  gateway: LabGateway,
  { progress, signal }: Watch,
): Promise<string> {
  await visitor.bootstrapped(signal);
  const url = await addressOf(gateway, 'tor', signal);
  let attempt = 0;
  const page = await shopPage(() => visitor.open(url, signal, `visit${(attempt += 1)}`), signal);
  progress(`the visitor opened ${url}`);
  return page;
}

async function addressOf(gateway: LabGateway, provider: string, signal: AbortSignal): Promise<string> {
  const find = (status: Status) =>
    status.services[0]?.ways.find((way) => way.provider === provider)?.address ?? undefined;
  const status = await gateway.until(
    `an address through ${provider}`,
    (now) => find(now) !== undefined,
    signal,
  );
  return find(status) ?? '';
}

const PATIENCE_MS = 60_000;
/** One visit through Tor that meets a bad circuit takes 45 s, and another follows. */
const PROOF_MS = 120_000;

/** Asks again until the shop answers: it may still be starting, the onion may still be travelling. */
async function shopPage(open: () => Promise<string>, signal: AbortSignal): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const page = await open();
      if (page.includes('The corner shop')) return page;
      throw new GatewayError(`another page came: ${page.slice(0, 200)}`, { code: 'LabFailed' });
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
