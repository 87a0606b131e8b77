import type { LabSummary } from '../lab.ts';
import { type Command, EXIT, type Option } from '../command.ts';
import { UsageError } from '../failure.ts';
import { show } from '../report.ts';
import { table } from '../table.ts';

const LAB: Option = { name: 'lab', value: 'LAB', summary: 'Name or directory of a lab, when several run' };

export const labUp: Command = {
  name: 'lab up',
  summary: 'Build an internet in a box from a topology, and leave it running',
  details: ['Needs no root and does not touch the network of this machine. Topologies: docs/lab.md.'],
  arguments: [
    {
      name: 'TOPOLOGY',
      isOptional: true,
      completion: 'file',
      summary: 'A file (YAML or JSON), or the name of a built-in one (demo)',
    },
  ],
  options: [],
  run: async (input, context) => {
    const { labUp: start } = await import('../lab.ts');
    const { signal, progress } = context;
    const lab = await start(input.optional('TOPOLOGY') ?? 'demo', { signal, progress });
    show(context, lab, () =>
      [
        `The lab ${lab.name} runs: ${nodesOf(lab)}`,
        'next: gateway lab exec NODE -- COMMAND',
        'end:  gateway lab down',
      ].join('\n'),
    );
    return EXIT.ok;
  },
};

export const labExec: Command = {
  name: 'lab exec',
  summary: 'Run a program in a node of a lab, also of the demo',
  details: ['The exit code of the program is passed on.'],
  arguments: [
    { name: 'NODE', summary: 'Name of the node, from gateway lab list' },
    { name: 'COMMAND', isRepeatable: true, summary: 'The program and its arguments, after --' },
  ],
  options: [LAB],
  examples: ['gateway lab exec phone -- ip address'],
  run: async (input, context) => {
    const [command, ...more] = input.rest('COMMAND');
    if (command === undefined) throw new UsageError('COMMAND is missing', 'write it after --');
    const { labExec: exec } = await import('../lab.ts');
    context.releaseSignals();
    return await exec(input.argument('NODE'), [command, ...more], input.text('lab'));
  },
};

export const labDown: Command = {
  name: 'lab down',
  summary: 'End a lab and remove what it left',
  arguments: [{ name: 'LAB', isOptional: true, summary: 'Name or directory, when several run' }],
  options: [],
  run: async (input, context) => {
    const { labDown: end } = await import('../lab.ts');
    const lab = await end(input.optional('LAB'));
    show(context, lab, () => `The lab ${lab.name} is gone.`);
    return EXIT.ok;
  },
};

export const labList: Command = {
  name: 'lab list',
  summary: 'List the labs that run',
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const { labList: list } = await import('../lab.ts');
    const labs = await list();
    show(context, labs, () =>
      labs.length === 0
        ? 'No lab runs.\nnext: gateway lab up'
        : table(
            ['LAB', 'NODES', 'DIRECTORY'],
            labs.map((lab) => [lab.name, nodesOf(lab), lab.directory]),
          ).join('\n'),
    );
    return EXIT.ok;
  },
};

function nodesOf({ nodes }: LabSummary): string {
  return nodes.map(({ name, hasPower }) => (hasPower ? name : `${name} (no power)`)).join(', ');
}
