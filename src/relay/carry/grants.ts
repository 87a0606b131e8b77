import type { RelayCarried, RelayCarry } from '../../core/relay-carry.ts';
import { DEVICES_PORTS, type HeldPort, type Holding, type RelayGround, reservedBy } from '../state.ts';

export interface GrantOptions {
  readonly ground: RelayGround;
  /** TCP and UDP ports of programs of this machine. */
  readonly listening: Readonly<Record<'tcp' | 'udp', ReadonlySet<number>>>;
  /** Of the relay itself, for homes that join it. */
  readonly ownPort: number;
  /** All homes, the one that asks too. */
  readonly holdings: readonly Holding[];
}

/** Ports of one home, ranges counted in full. */
const PORTS_PER_HOME = 2000;

export interface Granted {
  readonly holding: Holding;
  readonly carried: RelayCarried;
}

/**
 * First come, first served. What a home held it keeps while it asks for it; what it asks for no more is free at once.
 *
 *   asked for                          | answer
 *   a name or port that nobody has     | granted
 *   one that this home has             | granted
 *   one that another home has          | refused, without telling whose it is
 *   a port of the relay, or in use     | refused
 *   more than so many ports            | refused, from there on
 */
export function grant(mine: Holding, asked: RelayCarry, options: GrantOptions): Granted {
  const others = options.holdings.filter(({ home }) => home !== mine.home);
  const takenNames = new Set(others.flatMap(({ names }) => names));
  const names = asked.names.map((name) => ({ name, ...verdict(nameFault(name, takenNames)) }));
  const held: HeldPort[] = [];
  const ports = asked.ports.map(({ protocol, from, to }) => {
    const port = { protocol, from, to: to ?? from };
    const fault = portFault(port, { held, others, had: mine.ports, ...options });
    if (fault === undefined) held.push(port);
    return { protocol, from, ...(to === undefined ? {} : { to }), ...verdict(fault) };
  });
  const devicesPort = asked.devices ? devicesPortFor(mine, others) : null;
  const granted = new Set(names.flatMap((each) => (each.granted ? [each.name] : [])));
  return {
    holding: { ...mine, names: [...granted], ports: held, devicesPort },
    carried: { names, ports, devicesPort },
  };
}

function verdict(fault: string | undefined): { granted: boolean; why?: string } {
  return fault === undefined ? { granted: true } : { granted: false, why: fault };
}

function nameFault(name: string, taken: ReadonlySet<string>): string | undefined {
  return taken.has(name) ? `another home of this relay has ${name}` : undefined;
}

interface PortOptions extends GrantOptions {
  /** Granted by now. */
  readonly held: readonly HeldPort[];
  readonly had: readonly HeldPort[];
  readonly others: readonly Holding[];
}

function portFault(
  port: HeldPort,
  { held, others, had, ground, listening, ownPort }: PortOptions,
): string | undefined {
  const { protocol, from, to } = port;
  const what = from === to ? `${protocol.toUpperCase()} ${from}` : `${protocol.toUpperCase()} ${from}-${to}`;
  if (held.some((other) => meets(port, other))) return `${what} is asked for twice`;
  const count = held.reduce((sum, other) => sum + sizeOf(other), sizeOf(port));
  if (count > PORTS_PER_HOME) return `${what} would be more than ${PORTS_PER_HOME} ports for one home`;
  const isOwn = protocol === 'tcp' && ownPort >= from && ownPort <= to;
  const reserved = isOwn ? ownPort : reservedBy(port, ground);
  if (reserved !== undefined) return `the relay itself has ${protocol.toUpperCase()} ${reserved}`;
  const isHeld = had.some((other) => meets(port, other) && other.from <= from && other.to >= to);
  const inUse = [...listening[protocol]].find((number) => number >= from && number <= to);
  if (inUse !== undefined && !isHeld)
    return `a program on the relay's machine has ${protocol.toUpperCase()} ${inUse}`;
  const isTaken = others.some(({ ports }) => ports.some((other) => meets(port, other)));
  return isTaken ? `another home of this relay has ${what}, or a port of it` : undefined;
}

function meets(a: HeldPort, b: HeldPort): boolean {
  return a.protocol === b.protocol && a.from <= b.to && b.from <= a.to;
}

function sizeOf({ from, to }: HeldPort): number {
  return to - from + 1;
}

/** It stays the same while the home asks for one: it stands in the codes that phones have scanned. */
function devicesPortFor(mine: Holding, others: readonly Holding[]): number | null {
  if (mine.devicesPort !== null) return mine.devicesPort;
  const taken = new Set(others.map(({ devicesPort }) => devicesPort));
  for (let port: number = DEVICES_PORTS.from; port <= DEVICES_PORTS.to; port += 1) {
    if (!taken.has(port)) return port;
  }
  return null;
}

/** The lowest number that no home has; `undefined`: the block is full. */
export function freeNumber(holdings: readonly Holding[]): number | undefined {
  const taken = new Set(holdings.map(({ number }) => number));
  for (let number = 2; number <= 4094; number += 1) if (!taken.has(number)) return number;
  return undefined;
}
