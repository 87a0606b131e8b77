import process from 'node:process';
import { GatewayError } from '../core/errors.ts';
import { attachLab, findLabs, loadTopology, startLab, type Lab } from '../lab/index.ts';
import { environmentOutside } from '../lab/places.ts';
import { attach, type Argv } from '../system/run.ts';

/** `gateway lab …`: labs that stay, and reaching into any lab of this user, the demo's too. */

export interface LabSummary {
  readonly name: string;
  readonly directory: string;
  readonly startedAt: string;
  /** False: ends with the process that started it (a demo, a test). */
  readonly isDetached: boolean;
  readonly nodes: readonly { readonly name: string; readonly hasPower: boolean }[];
}

export interface LabUpOptions {
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
}

/** Starts a lab that stays until `labDown`: from the name of a built-in topology, or a file. */
export async function labUp(nameOrFile: string, options: LabUpOptions): Promise<LabSummary> {
  const { name, topology } = await loadTopology(nameOrFile);
  const lab = await startLab(topology, { ...options, name, isDetached: true });
  for (const limit of lab.limits) options.progress(`note: ${limit}`);
  return found(await labList(), lab.directory);
}

/** Runs a command in a node with our terminal. Resolves with its exit code. */
export async function labExec(node: string, command: Argv, which?: string): Promise<number> {
  const lab = await chooseLab(which);
  // Ctrl-C is for the program inside; we end when it does.
  const leaveIt = (): void => undefined;
  process.on('SIGINT', leaveIt);
  try {
    return await attach(lab.node(node).argv(command), { env: environmentOutside() });
  } finally {
    process.off('SIGINT', leaveIt);
  }
}

/** Ends a lab and removes what it left. */
export async function labDown(which?: string): Promise<LabSummary> {
  const lab = await chooseLab(which);
  const summary = found(await labList(), lab.directory);
  await lab.stop();
  return summary;
}

/** Every lab of this user that runs. */
export async function labList(): Promise<LabSummary[]> {
  const labs = await findLabs();
  return await Promise.all(
    labs
      .filter(({ isAlive, record }) => isAlive && record?.init !== undefined)
      .map(async ({ directory, record }) => {
        const lab = await attachLab(directory);
        return {
          name: lab.name,
          directory,
          startedAt: record?.startedAt ?? '',
          isDetached: record?.isDetached ?? false,
          nodes: lab.nodes.map((name) => ({ name, hasPower: lab.node(name).hasPower })),
        };
      }),
  );
}

/** `which` is a name or a folder; with none, the environment's GATEWAY_LAB, else the only lab there is. */
async function chooseLab(which: string | undefined): Promise<Lab> {
  const wanted = which ?? process.env['GATEWAY_LAB'];
  const labs = await labList();
  const matching = labs.filter(
    ({ name, directory }) => wanted === undefined || wanted === name || wanted === directory,
  );
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return await attachLab(only.directory);
  if (only === undefined) {
    throw new GatewayError(wanted === undefined ? 'no lab runs' : `no lab named ${wanted} runs`, {
      code: 'LabFailed',
      hint: labs.length === 0 ? 'gateway lab up demo' : `running: ${labs.map(({ name }) => name).join(', ')}`,
    });
  }
  throw new GatewayError(`${matching.length} labs run`, {
    code: 'LabFailed',
    hint: `choose one with --lab: ${matching.map(({ directory, name }) => `${directory} (${name})`).join(', ')}`,
  });
}

function found(labs: readonly LabSummary[], directory: string): LabSummary {
  const summary = labs.find((lab) => lab.directory === directory);
  if (summary !== undefined) return summary;
  throw new GatewayError(`the lab in ${directory} has ended`, { code: 'LabFailed' });
}
