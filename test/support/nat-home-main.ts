/** Measures the NATs before a home of a lab, as the doctor does. Argument: `NatHome`, as JSON. */
import { RelayWalked, type WalkQuestion } from '../../src/core/relay-walk.ts';
import { measureNat } from '../../src/system/nat-probe/measure.ts';
import { askRelay } from '../../src/system/relay-client.ts';
import type { NatHome, NatLooked } from './nat-chains.ts';

const { relay, home, secret, stun, mode, windowSeconds } = JSON.parse(process.argv[2] ?? '') as NatHome;
const help = relay && {
  walk: (question: WalkQuestion, signal: AbortSignal) =>
    askRelay(relay, { ask: 'walk', home, secret, walk: question }, RelayWalked, signal),
  stun: undefined,
};
const begun = performance.now();
const report = await measureNat({
  mode,
  stun,
  relay: () => Promise.resolve(help),
  windowSeconds,
  signal: AbortSignal.timeout(600_000),
});
const looked: NatLooked = { report, seconds: (performance.now() - begun) / 1000 };
process.stdout.write(JSON.stringify(looked), () => process.exit(0));
