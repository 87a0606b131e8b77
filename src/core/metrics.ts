import type { CertificateReport } from './certificate.ts';
import type { MappingReport } from './mapper.ts';
import type { ServiceStatus, Status } from './status.ts';

/** What is measured, as Prometheus reads it (text format 0.0.4). Pure. No label names a device, a visitor or an address. */

export interface Measured {
  readonly status: Status;
  readonly certificates: readonly Pick<CertificateReport, 'name' | 'notAfter'>[];
  readonly mappings: readonly Pick<MappingReport, 'state'>[];
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

type Metric = readonly [name: string, help: string, samples: readonly Sample[]];

/** WireGuard drops a session this long after its handshake (REJECT_AFTER_TIME). */
const SEEN_MS = 180_000;

export function renderMetrics(measured: Measured, nowMs: number): string {
  const metrics = [
    ...wayMetrics(measured.status.services),
    ...stateMetrics(measured.status.services),
    ...deviceMetrics(measured.status, nowMs),
    ...otherMetrics(measured),
  ];
  return metrics
    .map(([name, help, samples]) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map((sample) => lineOf(name, sample)),
      ].join('\n'),
    )
    .map((text) => `${text}\n`)
    .join('');
}

function lineOf(name: string, { labels, value }: Sample): string {
  const pairs = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function wayMetrics(services: readonly ServiceStatus[]): Metric[] {
  const ways = services.flatMap((service) =>
    service.ways.map((way) => ({ way, service, labels: { service: service.name, way: way.provider } })),
  );
  return [
    [
      'gateway_condition',
      'Conditions of ways in: 1 for the status that holds.',
      ways.flatMap(({ way, labels }) =>
        way.conditions.flatMap(({ type, status }) =>
          (['yes', 'no', 'unknown'] as const).map((each) => ({
            labels: { ...labels, condition: type, status: each },
            value: each === status ? 1 : 0,
          })),
        ),
      ),
    ],
    [
      'gateway_way_in_use',
      'The way in that people are told.',
      ways.map(({ way, service, labels }) => ({
        labels,
        value: way.provider === service.fallback?.way ? 1 : 0,
      })),
    ],
    [
      'gateway_way_proved_timestamp_seconds',
      'Last visit from outside that proved a way in.',
      ways.flatMap(({ way, labels }) =>
        way.provedAt === null ? [] : [{ labels, value: secondsOf(way.provedAt) }],
      ),
    ],
    [
      'gateway_probe_duration_seconds',
      'How long the last visit took.',
      ways.flatMap(({ way, labels }) => (way.tookMs === null ? [] : [{ labels, value: way.tookMs / 1000 }])),
    ],
  ];
}

function stateMetrics(services: readonly ServiceStatus[]): Metric[] {
  return [
    [
      'gateway_fallback',
      'Another way in took over from the first choice.',
      services.map(({ name, fallback }) => ({
        labels: { service: name },
        value: fallback?.isFallback === true ? 1 : 0,
      })),
    ],
    [
      'gateway_dark',
      'No way in works, as far as anybody knows.',
      services.map(({ name, fallback }) => ({
        labels: { service: name },
        value: fallback?.isDark === true ? 1 : 0,
      })),
    ],
    [
      'gateway_node_locked',
      'A Lightning node waits for the password of its wallet.',
      services.flatMap(({ name, unlocked }) =>
        unlocked === null ? [] : [{ labels: { service: name }, value: unlocked.status === 'no' ? 1 : 0 }],
      ),
    ],
  ];
}

function deviceMetrics({ devices }: Status, nowMs: number): Metric[] {
  const handshakes = devices.flatMap(({ latestHandshake }) =>
    latestHandshake === null ? [] : [Date.parse(latestHandshake)],
  );
  const newest = Math.max(...handshakes);
  const recent = handshakes.filter((at) => nowMs - at < SEEN_MS);
  return [
    ['gateway_devices', 'Devices that were added.', [{ value: devices.length }]],
    ['gateway_devices_connected', 'Devices whose session lives.', [{ value: recent.length }]],
    [
      'gateway_device_handshake_age_seconds',
      'Since the newest handshake of any device.',
      handshakes.length === 0 ? [] : [{ value: Math.max(nowMs - newest, 0) / 1000 }],
    ],
  ];
}

function otherMetrics({ status, certificates, mappings }: Measured): Metric[] {
  const byState = Map.groupBy(mappings, ({ state }) => state);
  return [
    [
      'gateway_certificate_expiry_timestamp_seconds',
      'When a certificate ends.',
      certificates.flatMap(({ name, notAfter }) =>
        notAfter === null ? [] : [{ labels: { name }, value: secondsOf(notAfter) }],
      ),
    ],
    [
      'gateway_mappings',
      'Ports in the router, by how they are.',
      [...byState].map(([state, all]) => ({ labels: { state }, value: all.length })),
    ],
    ['gateway_notices', 'Sentences below gateway status.', [{ value: status.notices.length }]],
    ['gateway_down', 'The owner said gateway down.', [{ value: status.isDown ? 1 : 0 }]],
    [
      'gateway_config_differs',
      'gateway.yaml differs from what is applied.',
      [{ value: status.fileDiffers ? 1 : 0 }],
    ],
  ];
}

function secondsOf(iso: string): number {
  return Date.parse(iso) / 1000;
}
