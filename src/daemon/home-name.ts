import { setHomeName } from '../core/config-edit.ts';
import type { NameDraft, NameReport, Progress, UpReport } from '../core/control.ts';
import type { Ports } from '../core/ports.ts';
import { registerName } from '../system/dns/open.ts';
import type { Changes } from './change.ts';

export async function nameReports({ names }: Pick<Ports, 'names'>): Promise<NameReport[]> {
  const kept = await names.kept();
  return kept.map(({ name, published, publishedAt, trouble }) => ({
    name: name.name,
    wildcard: name.wildcard,
    zone: name.zone,
    host: name.access.host,
    addresses: [published.ipv4, published.ipv6].filter((address) => address !== undefined),
    publishedAt: publishedAt ?? null,
    trouble: trouble?.message ?? null,
  }));
}

/** A name that its host refuses is not written to gateway.yaml. */
export async function setName(
  changes: Changes,
  draft: NameDraft,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const { register, ...name } = draft;
  if (register) {
    progress(`taking ${draft.zone} at ${draft.access.host}`);
    await registerName(draft.zone, draft.access, signal);
  }
  return changes.edit((text) => setHomeName(text, name), progress, signal);
}
