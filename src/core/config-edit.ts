import type { Privacy, ServiceKind } from './service.ts';

/** A service as `gateway service add` describes it. */
export interface ServiceDraft {
  readonly name: string;
  readonly port: number;
  readonly kind: ServiceKind;
  readonly privacy: Privacy;
  /** `own`: a namespace named like the service. */
  readonly namespace: 'own' | 'host' | { readonly name: string } | { readonly target: string };
  /** Provider ids with their options. */
  readonly expose: Readonly<Record<string, unknown>>;
}

/** What `gateway service set` changes; what is left out stays. */
export interface ServiceEdit {
  readonly port?: number | undefined;
  readonly kind?: ServiceKind | undefined;
  readonly privacy?: Privacy | undefined;
  readonly isolated?: boolean | undefined;
}
