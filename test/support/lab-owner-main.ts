import { outputOf } from './lab.ts';
import { startLab } from '../../src/lab/index.ts';

/**
 * `lab-owner-main TOPOLOGY [NODE COMMAND...]`: owns a lab in a process of its own, so that a test can kill the owner,
 * or run it as another user. Prints one line of JSON; without a command it then waits to be killed.
 */
const [topology = 'pair', node, ...command] = process.argv.slice(2);
const signal = AbortSignal.timeout(60_000);
const lab = await startLab(topology, { signal });
const [program, ...words] = command;
const output =
  node === undefined || program === undefined ? '' : await outputOf(lab, node, [program, ...words], signal);
console.log(
  JSON.stringify({
    directory: lab.directory,
    pids: lab.nodes.map((name) => lab.node(name).pid),
    usersMapped: lab.usersMapped,
    limits: lab.limits,
    output,
  }),
);
if (node === undefined) setInterval(() => undefined, 60_000);
else await lab.stop();
