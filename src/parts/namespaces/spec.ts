import type { Flow, OperationArguments } from '../../core/operations.ts';

/** What this part makes; `type` is the kind of its key. */
export type HubSpec = { readonly type: 'hub' } & OperationArguments<'hub.ensure'>['network'];
export type NamespaceSpec = { readonly type: 'namespace' } & OperationArguments<'namespace.ensure'>['spec'];
/** A namespace that somebody else made. */
export type EnteredSpec = { readonly type: 'entered' } & OperationArguments<'entered.ensure'>['spec'];
export type HostServiceSpec = {
  readonly type: 'hostService';
} & OperationArguments<'hostService.ensure'>['spec'];
export interface FlowsSpec {
  readonly type: 'flows';
  readonly flows: readonly Flow[];
}
export type Spec = HubSpec | NamespaceSpec | EnteredSpec | HostServiceSpec | FlowsSpec;

export const KINDS = ['hub', 'namespace', 'entered', 'hostService', 'flows'] as const;
