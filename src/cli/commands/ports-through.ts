import { GatewayError } from '../../core/errors.ts';
import type { PortsReport } from '../../core/mapper.ts';
import { isOwners } from '../../core/inet.ts';
import type { Hop, Through } from '../../core/through.ts';
import { type Command, type Context, EXIT, type Input } from '../command.ts';
import { UsageError } from '../failure.ts';
import { show } from '../report.ts';

const PATH = '/v1/ports/through';

export const portsOpen: Command = {
  name: 'ports open',
  summary: 'Have routers farther out open the same ports too, so that they lead through all of them',
  details: [
    'For a home router behind another one. Each router on the way is asked by unicast (PCP, NAT-PMP, UPnP) to let the port in to the one before it. They are found with ping; you see which, and nothing is asked before you say yes.',
    'A box at a shared address (100.64.0.0/10) is your provider’s: it and what is behind it is asked with --provider only.',
    'Undone by: gateway ports close --through. The ports are also closed when no service needs them, and by gateway down.',
  ],
  arguments: [],
  options: [
    { name: 'through', summary: 'Ask the routers between yours and the internet' },
    {
      name: 'hop',
      value: 'ADDRESS',
      isRepeatable: true,
      summary: 'Ask this router, instead of looking for them; nearest first',
    },
    { name: 'provider', summary: 'Also ask boxes that are probably the provider’s' },
    { name: 'yes', summary: 'Say yes without being asked' },
  ],
  examples: ['gateway ports open --through', 'gateway ports open --through --hop 192.168.1.1 --yes'],
  run: async (input, context) => {
    requireThrough(input);
    const client = await context.client();
    const { router: first } = await client.get<PortsReport>('/v1/ports', context.signal);
    if (first === null) throw new GatewayError('this machine has no router', { code: 'NotSupported' });
    const hops = await chosen(input, context);
    const schemas = await import('../../core/through.ts');
    const checked = schemas.Through.safeParse({ first, hops });
    if (!checked.success) {
      throw new UsageError('--hop is not the address of a router inside', 'for example: --hop 192.168.1.1');
    }
    await askOwner(checked.data, input, context);
    const { progress, signal } = context;
    const report = await client.send<PortsReport>('POST', PATH, checked.data, progress, signal);
    const { isWell, renderPorts } = await import('../render-ports.ts');
    show(context, report, () => renderPorts(report, Date.now()));
    return isWell(report) ? EXIT.ok : EXIT.warnings;
  },
};

export const portsClose: Command = {
  name: 'ports close',
  summary: 'Undo "ports open --through": close the ports in routers farther out, and ask them no more',
  arguments: [],
  options: [{ name: 'through', summary: 'Those between yours and the internet' }],
  run: async (input, context) => {
    requireThrough(input);
    const client = await context.client();
    const { progress, signal } = context;
    const report = await client.send<PortsReport>('DELETE', PATH, undefined, progress, signal);
    const { renderPorts } = await import('../render-ports.ts');
    show(context, report, () => renderPorts(report, Date.now()));
    return EXIT.ok;
  },
};

function requireThrough(input: Input): void {
  if (!input.has('through')) {
    throw new UsageError('--through is missing', 'the router of this home is asked without a command');
  }
}

async function chosen(input: Input, context: Context): Promise<readonly Hop[]> {
  const named = input.list('hop').map((router) => ({ router }));
  const hops = named.length > 0 ? named : await found(context);
  const foreign = input.has('provider') ? -1 : hops.findIndex(({ router }) => !isOwners(router));
  const own = foreign === -1 ? hops : hops.slice(0, foreign);
  if (own.length > 0) return own;
  const box = hops[0]?.router;
  if (box === undefined) {
    throw new GatewayError('there is no router between yours and the internet that says so', {
      code: 'NotSupported',
      hint: 'if you know its address: gateway ports open --through --hop ADDRESS',
    });
  }
  throw new GatewayError(`the box behind your router, ${box}, is probably the provider's`, {
    code: 'NotSupported',
    hint: 'to ask it all the same: gateway ports open --through --provider',
  });
}

async function found({ progress, signal }: Context): Promise<readonly Hop[]> {
  progress('looking for the routers on the way out');
  const { findHops } = await import('../../system/hops.ts');
  try {
    return await findHops(signal);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'CommandMissing') throw error;
    throw new GatewayError('the routers on the way are found with ping, which is not on this machine', {
      code: 'CommandMissing',
      hint: 'install iputils-ping, or name them: gateway ports open --through --hop ADDRESS',
      cause: error,
    });
  }
}

async function askOwner({ first, hops }: Through, input: Input, context: Context): Promise<void> {
  if (input.has('yes')) return;
  const { terminal, signal } = context;
  terminal.note(`Behind your router ${first} these stand between you and the internet:`);
  for (const { router } of hops) {
    terminal.note(`  ${router}${isOwners(router) ? '' : ' (probably the provider’s)'}`);
  }
  terminal.note('Each would be asked to let in, from the internet, the ports that this gateway uses.');
  if (terminal.keyboard === undefined) {
    throw new UsageError('nobody is there to say yes', 'if these are yours to ask: add --yes');
  }
  terminal.note('Press Enter to allow it, Ctrl-C to leave it.');
  if (await terminal.keyboard.enter(signal)) return;
  throw new GatewayError('not allowed; nobody was asked', { code: 'Aborted', retry: 'never' });
}
