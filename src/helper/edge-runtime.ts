import { formatIpv6, parseIpv6 } from '../core/inet6.ts';
import type { EdgeConfig } from './edge-config.ts';
import { serversOf, type SiteServer } from './edge-services.ts';
import { tellEdge } from './edge-socket.ts';
import { edgeMaps, RESTRICTIONS } from './edge-web.ts';
import type { HelperEnvironment } from './environment.ts';

/**
 * Names and servers come and go while HAProxy runs: told to it through its socket, after they are in its files, so that
 * its next start is the same. What it does is read back, not remembered, and compared with what its files say.
 */
interface Difference {
  /** In the order in which they are safe at every moment in between. */
  readonly commands: readonly string[];
  /** What no command mends: only another load of its files. */
  readonly beyond: string | undefined;
}

/** Each takes 5 KiB in HAProxy, and time where it is looked up. */
const MOST_LEFT_OVER = 200;

/** Why HAProxy, which has loaded the rest of `config`, must be told something; `undefined` when it need not. */
export async function otherwiseThanFiles(
  config: EdgeConfig,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { commands, beyond } = await differenceOf(config, environment, signal);
  return beyond ?? (commands.length > 0 ? 'HAProxy does not do what its files say' : undefined);
}

/** Tells it. `false` when HAProxy must load its files for it. */
export async function changeRunning(
  config: EdgeConfig,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const { commands, beyond } = await differenceOf(config, environment, signal);
  const complaint = beyond ?? (await tellAll(commands, environment, signal));
  if (complaint === undefined) return true;
  environment.log('warn', 'haproxy is reloaded for what it could not be told', { complaint });
  return false;
}

/** What must be told to the running HAProxy, which has loaded the rest of `config`. */
async function differenceOf(
  { asked, here }: EdgeConfig,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<Difference> {
  // Without a site it has loaded no map, and no backend for servers.
  if (asked.sites.length === 0) return { commands: [], beyond: undefined };
  const tell = (command: string): Promise<string> => tellEdge(environment, command, signal);
  const servers = compareServers(serversOf(asked), parseServers(await tell('show servers state')));
  const changes: MapChanges[] = [];
  for (const [map, text] of edgeMaps(asked, here)) {
    const said = await tell(`show map ${map}`);
    // The map of addresses is loaded once there is a certificate of one.
    if (/^Unknown map/m.test(said)) continue;
    changes.push(compareMap(map, entriesOf(text), parseMap(said)));
  }
  const strict = changes.filter(({ map }) => RESTRICTIONS.has(map));
  const others = changes.filter(({ map }) => !RESTRICTIONS.has(map));
  return {
    beyond: servers.beyond,
    commands: [
      ...servers.commands,
      ...strict.flatMap(({ added, changed }) => [...added, ...changed.map(letNobodyIn)]),
      ...others.flatMap(({ gone, added, changed }) => [...gone, ...added, ...changed]),
      ...strict.flatMap(({ gone, changed }) => [...changed, ...gone]),
    ],
  };
}

/** `set map devices.map pay.test shop`: devices of the new one are not let in at what the old one has there. */
function letNobodyIn(command: string): string {
  return `${command.slice(0, command.lastIndexOf(' '))} -`;
}

/** Below what HAProxy takes as one line (16 KiB). */
const LINE_BYTES = 8192;

/** What HAProxy has against them, or nothing. */
async function tellAll(
  commands: readonly string[],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const lines: string[] = [];
  for (const command of commands) {
    const last = lines.at(-1);
    if (last === undefined || last.length + command.length > LINE_BYTES) lines.push(command);
    else lines[lines.length - 1] = `${last};${command}`;
  }
  for (const line of lines) {
    const said = (await tellEdge(environment, line, signal)).split('\n').map((each) => each.trim());
    const complaint = said.find((each) => each !== '' && each !== 'New server registered.');
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

interface SeenServer {
  readonly host: string;
  readonly port: number;
  /** It runs, and nobody is brought to it by chance. */
  readonly isSound: boolean;
}

function compareServers(
  wanted: readonly SiteServer[],
  seen: ReadonlyMap<string, SeenServer>,
): Pick<Difference, 'commands' | 'beyond'> {
  const keys = new Set(wanted.map(({ backend, name }) => `${backend}/${name}`));
  const isWrong = ({ backend, name, host, port }: SiteServer): boolean => {
    const found = seen.get(`${backend}/${name}`);
    return found !== undefined && !(found.isSound && found.port === port && isSameHost(found.host, host));
  };
  const wrong = wanted.find(isWrong);
  const leftOver = [...seen.keys()].filter((key) => !keys.has(key)).length;
  const beyond =
    wrong === undefined
      ? leftOver > MOST_LEFT_OVER
        ? `${leftOver} servers are left over`
        : undefined
      : `its server ${wrong.name} was changed by hand`;
  const missing = wanted.filter(({ backend, name }) => !seen.has(`${backend}/${name}`));
  const commands = missing.map(
    ({ backend, name, words }) => `add server ${backend}/${name} ${words} enabled`,
  );
  return { commands, beyond };
}

function isSameHost(a: string, b: string): boolean {
  const plain = (host: string): string => {
    const value = parseIpv6(host);
    return value === undefined ? host : formatIpv6(value);
  };
  return plain(a) === plain(b);
}

const RUNNING = '2';

/** `show servers state`: a line of names of columns, then one line a server. Those of our own steps have no dot. */
function parseServers(text: string): ReadonlyMap<string, SeenServer> {
  const lines = text.split('\n').map((line) => line.split(' '));
  const titles = lines.find(([first]) => first === '#')?.slice(1) ?? [];
  const at = (title: string): number => titles.indexOf(title);
  const columns = ['be_name', 'srv_name', 'srv_addr', 'srv_port', 'srv_op_state', 'srv_uweight'].map(at);
  return new Map(
    lines.flatMap((line) => {
      const [backend, name = '', host = '', port, state, weight] = columns.map((column) => line[column]);
      if (!name.includes('.') || line[0] === '#') return [];
      const isSound = state === RUNNING && weight === '0';
      return [[`${backend}/${name}`, { host, port: Number(port), isSound }] as const];
    }),
  );
}

/** Commands. */
interface MapChanges {
  readonly map: string;
  readonly gone: readonly string[];
  readonly added: readonly string[];
  readonly changed: readonly string[];
}

function compareMap(
  map: string,
  wanted: ReadonlyMap<string, string>,
  seen: ReadonlyMap<string, readonly string[]>,
): MapChanges {
  const isOnce = (key: string): boolean => seen.get(key)?.length === 1;
  const gone = [...seen.keys()].filter((key) => !wanted.has(key));
  const missing = [...wanted].filter(([key]) => !isOnce(key));
  const others = [...wanted].filter(([key, value]) => isOnce(key) && seen.get(key)?.[0] !== value);
  return {
    map,
    gone: gone.map((key) => `del map ${map} ${key}`),
    added: missing.flatMap(([key, value]) => [
      ...(seen.has(key) ? [`del map ${map} ${key}`] : []),
      `add map ${map} ${key} ${value}`,
    ]),
    changed: others.map(([key, value]) => `set map ${map} ${key} ${value}`),
  };
}

/** A map's file: `key value` a line. */
function entriesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map(splitOnce));
}

/** `show map`: `0x55d0 key value` a line. A key that is there twice has two values. */
function parseMap(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n').filter((line) => line.startsWith('0x'));
  const entries = lines.map((line) => splitOnce(splitOnce(line)[1]));
  const byKey = Map.groupBy(entries, ([key]) => key);
  return new Map([...byKey].map(([key, group]) => [key, group.map(([, value]) => value)]));
}

function splitOnce(line: string): [string, string] {
  const end = line.indexOf(' ');
  return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)];
}
