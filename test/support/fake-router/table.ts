import type { Answer, Entry, RouterScript } from './script.ts';

interface Line extends Entry {
  readonly enabled: boolean;
  readonly since: number;
}

type Input = ReadonlyMap<string, string>;

/** A router's mappings, and how it answers questions about them. */
export class FakeTable {
  readonly #script: RouterScript;
  #lines: Line[];
  #keptDeletions = 0;

  constructor(script: RouterScript) {
    this.#script = script;
    this.#lines = (script.table?.entries ?? []).map((entry) => ({
      ...entry,
      enabled: true,
      since: Date.now(),
    }));
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  forget(): void {
    this.#lines = [];
  }

  /** Makes it later, for the leases. */
  pass(seconds: number): void {
    this.#lines = this.#lines
      .map((line) => ({ ...line, since: line.since - seconds * 1000 }))
      .filter((line) => line.lease === 0 || leftOf(line) > 0);
  }

  answer(action: string, input: Input): Answer {
    const { externalAddress = '11.2.0.2', status = 'Connected', uptime = 1000, table = {} } = this.#script;
    const answers: Readonly<Record<string, () => Answer>> = {
      AddPortMapping: () => this.#add(input) ?? { values: {} },
      AddAnyPortMapping: () => {
        const port = table.movesPortTo ?? Number(input.get('NewExternalPort'));
        return this.#add(input, port) ?? { values: { NewReservedPort: port } };
      },
      DeletePortMapping: () => this.#remove(input),
      GetSpecificPortMappingEntry: () => this.#specific(input),
      GetGenericPortMappingEntry: () => this.#generic(Number(input.get('NewPortMappingIndex'))),
      GetExternalIPAddress: () => ({ values: { NewExternalIPAddress: externalAddress } }),
      GetStatusInfo: () => ({
        values: { NewConnectionStatus: status, NewLastConnectionError: 'ERROR_NONE', NewUptime: uptime },
      }),
      GetConnectionTypeInfo: () => ({
        values: { NewConnectionType: 'IP_Routed', NewPossibleConnectionTypes: 'IP_Routed' },
      }),
    };
    return answers[action]?.() ?? { fault: 401, text: 'Invalid Action' };
  }

  #add(input: Input, externalPort = Number(input.get('NewExternalPort'))): Answer | undefined {
    const rules = this.#script.table ?? {};
    const asked = Number(input.get('NewLeaseDuration'));
    const protocol = input.get('NewProtocol') === 'TCP' ? 'TCP' : 'UDP';
    const internalPort = Number(input.get('NewInternalPort'));
    const client = rules.forwardsTo ?? input.get('NewInternalClient') ?? '';
    const old = this.#find(protocol, externalPort);
    const refused = this.#refusal(input, externalPort, old !== undefined && old.client !== client, old);
    if (refused !== undefined) return { fault: refused };
    if (asked > 0 && rules.dropsTimed === true) return undefined;
    this.#lines = this.#lines.filter((line) => line !== old);
    this.#lines.push({ protocol, externalPort, internalPort, client, ...this.#written(input, asked, old) });
    return undefined;
  }

  #written(
    input: Input,
    asked: number,
    old: Line | undefined,
  ): Pick<Line, 'lease' | 'since' | 'description' | 'enabled'> {
    const rules = this.#script.table ?? {};
    return {
      lease: asked === 0 ? (rules.permanentMeans ?? 0) : Math.min(asked, rules.capsLease ?? asked),
      since: rules.repeatExtends === false ? (old?.since ?? Date.now()) : Date.now(),
      description: rules.writes ?? input.get('NewPortMappingDescription') ?? '',
      enabled: rules.disables !== true,
    };
  }

  #refusal(input: Input, port: number, isTaken: boolean, old: Line | undefined): number | undefined {
    const rules = this.#script.table ?? {};
    const hasLease = Number(input.get('NewLeaseDuration')) > 0;
    // Capitals only, as a TP-Link ER605 wants it (tailscale #7377); port 0 would be every port.
    const isKnown = ['TCP', 'UDP'].includes(input.get('NewProtocol') ?? '') && port > 0;
    const reasons: readonly (readonly [boolean, number | undefined])[] = [
      [!isKnown, 402],
      [hasLease, rules.refusesLeases],
      [port < (rules.refusesPortsBelow ?? 1), 606],
      [rules.samePortOnly === true && port !== Number(input.get('NewInternalPort')), 724],
      [isTaken || (old !== undefined && rules.refusesRepeats === true), 718],
      [old === undefined && this.#lines.length >= (rules.size ?? 1000), rules.fullCode ?? 728],
    ];
    return reasons.find(([applies, code]) => applies && code !== undefined)?.[1];
  }

  #remove(input: Input): Answer {
    const found = this.#find(input.get('NewProtocol') ?? '', Number(input.get('NewExternalPort')));
    if (found === undefined) return { fault: 714, text: 'NoSuchEntryInArray' };
    this.#keptDeletions += 1;
    if (this.#keptDeletions <= (this.#script.table?.keepsDeleted ?? 0)) return { values: {} };
    this.#lines = this.#lines.filter((line) => line !== found);
    return { values: {} };
  }

  #specific(input: Input): Answer {
    const found = this.#find(input.get('NewProtocol') ?? '', Number(input.get('NewExternalPort')));
    return found === undefined
      ? { fault: 714, text: 'NoSuchEntryInArray' }
      : { values: this.#valuesOf(found) };
  }

  #generic(index: number): Answer {
    const isEndless = this.#script.table?.endless === true;
    const found = this.#lines[isEndless ? Math.min(index, this.#lines.length - 1) : index];
    if (found === undefined) return { fault: 713, text: 'SpecifiedArrayIndexInvalid' };
    const { protocol, externalPort } = found;
    return {
      values: {
        NewRemoteHost: '',
        NewExternalPort: externalPort,
        NewProtocol: protocol,
        ...this.#valuesOf(found),
      },
    };
  }

  #valuesOf(line: Line): Record<string, string | number> {
    return {
      NewInternalPort: line.internalPort,
      NewInternalClient: line.client,
      NewEnabled: line.enabled ? 1 : 0,
      NewPortMappingDescription: line.description,
      NewLeaseDuration: this.#script.table?.listsLease ?? (line.lease === 0 ? 0 : leftOf(line)),
    };
  }

  #find(protocol: string, externalPort: number): Line | undefined {
    return this.#lines.find((line) => line.protocol === protocol && line.externalPort === externalPort);
  }
}

function leftOf({ lease, since }: Line): number {
  return lease - Math.round((Date.now() - since) / 1000);
}
