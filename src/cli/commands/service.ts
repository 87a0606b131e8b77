import type { ServiceDraft, ServiceEdit } from '../../core/config-edit.ts';
import type { PlaceReport, UpReport } from '../../core/control.ts';
import { EGRESSES, ENTERED_BY, KINDS, PRIVACIES, type EnteredBy } from '../../core/service.ts';
import type { Status } from '../../core/status.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, EXIT, type Input, type Option } from '../command.ts';
import { UsageError } from '../failure.ts';
import { keyOption, sendOnionKey } from '../onion-key.ts';
import { oneOf, wholeNumber } from '../parse.ts';
import { placeText } from '../place-text.ts';
import { exitCodeOfReport, renderServices } from '../render-lists.ts';
import { segment, show, showUp } from '../report.ts';
import { tellOnion } from '../wait.ts';

const PORT: Option = { name: 'port', value: 'P', summary: 'TCP port that the service listens on' };
const KIND: Option = {
  name: 'kind',
  value: 'KIND',
  completion: KINDS,
  summary: `What it speaks: ${KINDS.join(', ')}`,
};
const PRIVACY: Option = {
  name: 'privacy',
  value: 'RULE',
  completion: PRIVACIES,
  summary: `What its ways in may show: ${PRIVACIES.join(', ')}`,
};
const ISOLATION: Option = {
  name: 'isolation',
  value: 'on|off',
  completion: ['on', 'off'],
  summary: "on: a network namespace of its own; off: the machine's own network",
};
const EGRESS: Option = {
  name: 'egress',
  value: 'WAY',
  completion: EGRESSES,
  summary: `What it may reach by itself: ${EGRESSES.join(', ')}`,
};
const UPSTREAM: Option = {
  name: 'upstream',
  value: 'SERVICE',
  isRepeatable: true,
  completion: 'services',
  summary: 'Another service that it may connect to, found under its name; may be repeated',
};
const NAME = { name: 'NAME', completion: 'services', summary: 'Name of the service' } as const;

export const serviceAdd: Command = {
  name: 'service add',
  summary: 'Add a service, with an onion address unless told not to',
  details: [
    'The service gets a network namespace of its own, where nothing reaches it but what was declared. The lines that put a real service into that namespace are printed.',
  ],
  arguments: [{ name: 'NAME', summary: 'A name for it: a to z, 0 to 9, dashes' }],
  options: [
    PORT,
    { ...KIND, summary: `${KIND.summary} (http)` },
    { ...PRIVACY, summary: `${PRIVACY.summary} (open)` },
    { ...EGRESS, summary: `${EGRESS.summary} (none)` },
    UPSTREAM,
    { ...ISOLATION, summary: `${ISOLATION.summary} (on)` },
    { name: 'namespace', value: 'NAME', summary: 'Name of its namespace, when not the name of the service' },
    {
      name: 'namespace-of',
      value: 'KIND:NAME',
      completion: ENTERED_BY.map((by) => `${by}:`),
      summary: 'It runs in a namespace that exists: container:lnd, unit:lnd.service, pid:4711, name:vpn',
    },
    {
      name: 'target',
      value: 'A:P',
      summary: 'It runs on another machine, at this address and port; not isolated',
    },
    { name: 'no-tor', summary: 'No onion address' },
    keyOption('onion-key'),
    {
      name: 'via',
      value: 'PROVIDER',
      isRepeatable: true,
      completion: 'providers',
      summary: 'Another way in; may be repeated',
    },
    { name: 'no-wait', summary: 'Do not wait until the onion address is published' },
  ],
  examples: [
    'gateway service add shop --port 8080',
    'gateway service add lnd --port 8080 --kind lnd --no-tor --via wireguard',
    'gateway service add lnd --port 8080 --kind lnd --namespace-of container:lnd',
    'gateway service add printer --target 192.168.1.20:631',
  ],
  run: async (input, context) => {
    const draft = draftOf(input);
    const files = input.text('onion-key');
    if (files !== undefined && !('tor' in draft.expose)) {
      throw new UsageError('--onion-key and --no-tor exclude each other', 'choose one of them');
    }
    const client = await context.client();
    if (files !== undefined) await importFirst(draft.name, files, client, context);
    const { progress, signal } = context;
    const report = await client.send<UpReport>('POST', '/v1/services', draft, progress, signal);
    const exitCode = showUp(context, report);
    if (context.isJson) return exitCode;
    const place = await client.get<PlaceReport>(`/v1/services/${segment(draft.name)}/place`, signal);
    context.terminal.print(placeText(place));
    if ('tor' in draft.expose) await tellOnion(draft.name, client, context, !input.has('no-wait'));
    return exitCode;
  },
};

/** The key comes before the service: exposing one that has none makes one. A service that exists keeps what it has. */
async function importFirst(name: string, files: string, client: Client, context: Context): Promise<void> {
  const { services } = await client.get<Status>('/v1/status', context.signal);
  if (services.some((service) => service.name === name)) {
    throw new GatewayError(`there is a service ${name} already; nothing was imported`, {
      code: 'AlreadyExists',
      hint: `when it has no onion address yet: gateway expose ${name} --via tor --import ${files}`,
    });
  }
  await sendOnionKey(name, files, client, context);
}

function draftOf(input: Input): ServiceDraft {
  const name = input.argument('NAME');
  const via = [...(input.has('no-tor') ? [] : ['tor']), ...input.list('via')];
  return {
    name,
    ...placeOf(input),
    kind: oneOf(input.text('kind') ?? 'http', '--kind', KINDS),
    privacy: oneOf(input.text('privacy') ?? 'open', '--privacy', PRIVACIES),
    ...egressOf(input),
    ...upstreamsOf(input),
    expose: Object.fromEntries(via.map((provider) => [provider, {}])),
  };
}

function upstreamsOf(input: Input): Pick<ServiceDraft, 'upstreams'> {
  const upstreams = input.list('upstream');
  return upstreams.length === 0 ? {} : { upstreams };
}

function egressOf(input: Input): Pick<ServiceDraft, 'egress'> {
  const egress = input.text('egress');
  return egress === undefined ? {} : { egress: oneOf(egress, '--egress', EGRESSES) };
}

function placeOf(input: Input): Pick<ServiceDraft, 'port' | 'namespace'> {
  const target = input.text('target');
  const namespace = input.text('namespace');
  const entered = input.text('namespace-of');
  const isIsolated = isolationOf(input) ?? true;
  const said = [target, namespace, entered, isIsolated ? undefined : 'off'];
  if (said.filter((each) => each !== undefined).length > 1) {
    throw new UsageError(
      '--target, --namespace, --namespace-of and --isolation off exclude each other',
      'choose one of them',
    );
  }
  const port = input.text('port');
  if (target !== undefined) return { port: targetPort(target, port), namespace: { target } };
  if (port === undefined)
    throw new UsageError('--port is missing', 'write --port and the TCP port it listens on');
  if (entered !== undefined) {
    return { port: wholeNumber(port, '--port', 1, 65535), namespace: { entered: enteredOf(entered) } };
  }
  return {
    port: wholeNumber(port, '--port', 1, 65535),
    namespace: namespace === undefined ? (isIsolated ? 'own' : 'host') : { name: namespace },
  };
}

function enteredOf(typed: string): { by: EnteredBy; value: string } {
  const colon = typed.indexOf(':');
  const by = ENTERED_BY.find((each) => each === typed.slice(0, colon));
  if (by !== undefined && colon < typed.length - 1) return { by, value: typed.slice(colon + 1) };
  throw new UsageError(
    `--namespace-of is "${typed}"`,
    `write one of ${ENTERED_BY.join(', ')}, a colon and which: container:lnd`,
  );
}

function targetPort(target: string, port: string | undefined): number {
  if (port !== undefined) throw new UsageError('--target has the port in it already', 'leave out --port');
  const typed = /:(\d+)$/.exec(target)?.[1];
  if (typed === undefined) throw new UsageError(`--target is "${target}"`, 'write it like 192.168.1.20:443');
  return wholeNumber(typed, 'the port of --target', 1, 65535);
}

function isolationOf(input: Input): boolean | undefined {
  const typed = input.text('isolation');
  return typed === undefined ? undefined : oneOf(typed, '--isolation', ['on', 'off']) === 'on';
}

export const serviceSet: Command = {
  name: 'service set',
  summary: 'Change a service; what is left out stays',
  arguments: [NAME],
  options: [
    PORT,
    KIND,
    PRIVACY,
    EGRESS,
    ISOLATION,
    { ...UPSTREAM, summary: `${UPSTREAM.summary}; replaces the list` },
    { name: 'no-upstreams', summary: 'It may connect to no other service' },
  ],
  examples: [
    'gateway service set shop --isolation off',
    'gateway service set btcpay --egress tor',
    'gateway service set shop --upstream btcpay',
  ],
  run: async (input, context) => {
    const edit = editOf(input);
    if (Object.keys(edit).length === 0) {
      throw new UsageError(
        'nothing to change',
        'use --port, --kind, --privacy, --egress, --upstream or --isolation',
      );
    }
    const client = await context.client();
    const path = `/v1/services/${segment(input.argument('NAME'))}`;
    const { progress, signal, terminal, isJson } = context;
    const report = await client.send<UpReport>('PATCH', path, edit, progress, signal);
    const exitCode = showUp(context, report);
    if (isJson || (edit.isolated === undefined && edit.port === undefined)) return exitCode;
    // It has to move: say where to, and how.
    const place = await client.get<PlaceReport>(`${path}/place`, signal);
    terminal.print(placeText(place));
    return exitCode;
  },
};

function editOf(input: Input): ServiceEdit {
  const port = input.text('port');
  const kind = input.text('kind');
  const privacy = input.text('privacy');
  const isolated = isolationOf(input);
  if (input.has('no-upstreams') && input.list('upstream').length > 0) {
    throw new UsageError('--upstream and --no-upstreams exclude each other', 'choose one of them');
  }
  return {
    ...(port === undefined ? {} : { port: wholeNumber(port, '--port', 1, 65535) }),
    ...(kind === undefined ? {} : { kind: oneOf(kind, '--kind', KINDS) }),
    ...(privacy === undefined ? {} : { privacy: oneOf(privacy, '--privacy', PRIVACIES) }),
    ...egressOf(input),
    ...(input.has('no-upstreams') ? { upstreams: [] } : upstreamsOf(input)),
    ...(isolated === undefined ? {} : { isolated }),
  };
}

export const serviceRemove: Command = {
  name: 'service remove',
  summary: 'Remove a service, its ways in and its namespace; its keys stay',
  arguments: [NAME],
  options: [],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/services/${segment(input.argument('NAME'))}`;
    const { progress, signal } = context;
    const report = await client.send<UpReport>('DELETE', path, undefined, progress, signal);
    show(context, report, () => `Removed ${input.argument('NAME')}.`);
    return exitCodeOfReport(report);
  },
};

export const serviceList: Command = {
  name: 'service list',
  summary: 'List the services and where each listens',
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const { services } = await client.get<Status>('/v1/status', context.signal);
    show(context, services, () => renderServices(services));
    return EXIT.ok;
  },
};
