import {
  backendFault,
  egressFault,
  fallbackFaults,
  fallbackOrder,
  placeOf,
  poolFault,
  ulaFault,
  reservedFault,
  sharedPlaceFaults,
  upstreamFaults,
  type Fault,
} from './config-rules.ts';
import {
  configJsonSchema,
  fileSchema,
  type Config,
  type ConfigService,
  type FileService,
  type ProviderSchema,
} from './config-schema.ts';
import { placed, schemaProblems } from './config-problems.ts';
import { CertificateSettings, wildcardFaults } from './certificate-config.ts';
import { DnsSettings } from './dns-config.ts';
import { PART_SECTIONS } from './config-sections.ts';
import { nodeAccessOf, nodeFault } from './node-access.ts';
import { readConfigText, type ConfigProblem, type ConfigText } from './config-text.ts';

export { configJsonSchema, type Config, type ConfigService, type ProviderSchema } from './config-schema.ts';
export type { ConfigProblem } from './config-text.ts';

export type ParsedConfig =
  | { readonly config: Config; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly ConfigProblem[] };

/** Text of gateway.yaml → what it says, or every mistake in it. Never throws. An empty file has no services. */
export function parseConfig(text: string, providers: readonly ProviderSchema[]): ParsedConfig {
  const file = readConfigText(text);
  if ('problems' in file) return file;
  const filled = fillEmpty(file.value);
  const parsed = fileSchema(providers).safeParse(filled, { reportInput: true });
  if (!parsed.success) {
    return { problems: inOrder(schemaProblems(parsed.error.issues, file, configJsonSchema(providers))) };
  }
  const { instance, pool, ula, services, relays, stun, announce, notify, metrics, ...sections } = parsed.data;
  const read = readServices(services, filled);
  const settings = readSettings(sections, read.services, providers, file);
  const { certificates, dns } = settings.values;
  const wildcards = wildcardFaults(
    CertificateSettings.parse(certificates ?? {}),
    Object.keys(DnsSettings.parse(dns ?? {}).zones),
  );
  const faults = [poolFault(pool) ?? [], ulaFault(ula) ?? [], read.faults, wildcards].flat();
  const problems = [...faults.map((fault) => placed(file, fault)), ...settings.problems];
  if (problems.length > 0) return { problems: inOrder(problems) };
  const known = Object.entries(relays).map(([name, relay]) => ({ name, ...relay }));
  return {
    config: {
      prefix: instance,
      pool,
      ula,
      services: read.services,
      stun,
      ...(announce.programs.length === 0 ? {} : { programs: announce.programs }),
      ...(notify === undefined ? {} : { notify }),
      ...(metrics === undefined ? {} : { metrics: metrics.listen }),
      relays: known.sort((a, b) => (a.name < b.name ? -1 : 1)),
      settings: settings.values,
    },
  };
}

/** `gateway.yaml:7:5: services.shop.prot is not known; did you mean "port"?`, one line for each. */
export function formatProblems(file: string, problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ line, column, message, hint }) => {
      const next = hint === undefined ? '' : `; ${hint}`;
      return `${file}:${line}:${column}: ${message}${next}`;
    })
    .join('\n');
}

/** `tor:` with nothing behind it means the same as `tor: {}`. */
function fillEmpty(value: unknown): unknown {
  const file = value ?? {};
  if (!isSection(file)) return file;
  const filled = fillNulls(file);
  const services = filled['services'];
  if (!isSection(services)) return filled;
  return { ...filled, services: mapSection(fillNulls(services), fillService) };
}

function fillService(service: unknown): unknown {
  if (!isSection(service) || !('expose' in service)) return service;
  const expose = service['expose'] ?? {};
  return { ...service, expose: isSection(expose) ? fillNulls(expose) : expose };
}

function fillNulls(section: Record<string, unknown>): Record<string, unknown> {
  const scalars = ['instance', 'pool', 'ula'];
  return Object.fromEntries(
    Object.entries(section).map(([key, value]) => [
      key,
      value === null && !scalars.includes(key) ? {} : value,
    ]),
  );
}

function mapSection(
  section: Record<string, unknown>,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(section).map(([key, value]) => [key, change(value)]));
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readServices(
  services: Readonly<Record<string, FileService>>,
  file: unknown,
): {
  services: ConfigService[];
  faults: Fault[];
} {
  const read: ConfigService[] = [];
  const faults: Fault[] = [];
  for (const [name, service] of Object.entries(services)) {
    const found = placeOf(name, service);
    const reserved = reservedFault(name);
    faults.push(...(reserved === undefined ? [] : [reserved]), ...fallbackFaults(name, service));
    if ('fault' in found) faults.push(found.fault);
    else {
      const wrong = [
        backendFault(name, service),
        egressFault(name, service, found.place),
        nodeFault(name, service.kind, service.node),
      ];
      faults.push(...wrong.filter((fault) => fault !== undefined));
      const fallback = fallbackOrder(service, exposedIn(file, name));
      read.push({ name, ...found, ...rest(service), fallback });
    }
  }
  const faultsBetween = [...sharedPlaceFaults(read), ...upstreamFaults(read, Object.keys(services))];
  return { services: read, faults: [...faults, ...faultsBetween] };
}

/** In the order of the file, which the schema does not keep. */
function exposedIn(file: unknown, service: string): string[] {
  const path = ['services', service, 'expose'];
  const expose = path.reduce((at, key) => (isSection(at) ? at[key] : undefined), file);
  return isSection(expose) ? Object.keys(expose) : [];
}

function rest({
  kind,
  privacy,
  backend,
  egress,
  upstreams,
  node,
  dns,
  expose,
}: FileService): Omit<ConfigService, 'name' | 'place' | 'port' | 'fallback'> {
  const reached = upstreams.length === 0 ? {} : { upstreams: [...upstreams].sort() };
  const access = node === undefined ? {} : { node: nodeAccessOf(node) };
  const asked = backend === 'h2c' ? { backend } : {};
  const out = egress === 'none' ? {} : { egress };
  const led = dns === undefined ? {} : { dns };
  return { kind, privacy, ...asked, ...out, ...reached, ...access, ...led, expose };
}

/** A section that is left out is read as an empty one, for its defaults; a fault in that counts only when it is used. */
function readSettings(
  sections: Readonly<Record<string, unknown>>,
  services: readonly ConfigService[],
  providers: readonly ProviderSchema[],
  file: ConfigText,
): { values: Record<string, unknown>; problems: ConfigProblem[] } {
  const values: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const { id, settings } of [...providers, ...PART_SECTIONS]) {
    const parsed =
      sections[id] === undefined
        ? settings.safeParse({}, { reportInput: true })
        : { success: true as const, data: sections[id] };
    if (parsed.success) values[id] = parsed.data;
    else if (services.some((service) => id in service.expose)) {
      const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [id, ...issue.path] }));
      problems.push(...schemaProblems(issues, file, configJsonSchema(providers)));
    }
  }
  return { values, problems };
}

function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}
