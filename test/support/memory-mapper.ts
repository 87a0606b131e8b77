import { portKey, type Mapper, type MappingReport, type PortSpec } from '../../src/core/mapper.ts';

/** A router that opens whatever it is asked for, and says that its address is `externalAddress`. */
export function memoryMapper(externalAddress = '11.2.0.2'): Mapper {
  const kept = new Map<string, PortSpec>();
  const reportOf = ({ transport, port, externalPort }: PortSpec): MappingReport => ({
    transport,
    port,
    state: 'held',
    protocol: 'pcp',
    router: '192.168.1.1',
    externalAddress,
    externalPort,
    renewedAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2026-01-01T01:00:00.000Z',
    problem: null,
    hint: null,
  });
  return {
    kept: () => Promise.resolve([...kept.values()].map((spec) => ({ spec, report: reportOf(spec) }))),
    keep: (spec) => Promise.resolve(void kept.set(portKey(spec), spec)),
    release: (spec) => Promise.resolve(void kept.delete(portKey(spec))),
    look: () => Promise.resolve({ router: '192.168.1.1', table: null }),
    through: () => Promise.resolve(undefined),
    openThrough: () => Promise.resolve(),
    closeThrough: () => Promise.resolve(),
    visited: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
