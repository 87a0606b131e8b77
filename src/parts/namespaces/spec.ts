import type { Flow, OperationArguments } from '../../core/operations.ts';

/** What this part makes; `type` is the kind of its key. */
export type HubSpec = { readonly type: 'hub' } & OperationArguments<'hub.ensure'>['network'];
export type NamespaceSpec = { readonly type: 'namespace' } & OperationArguments<'namespace.ensure'>['spec'];
export type HostServiceSpec = {
  readonly type: 'hostService';
} & OperationArguments<'hostService.ensure'>['spec'];
export interface FlowsSpec {
  readonly type: 'flows';
  readonly flows: readonly Flow[];
}
export type Spec = HubSpec | NamespaceSpec | HostServiceSpec | FlowsSpec;

export const KINDS = ['hub', 'namespace', 'hostService', 'flows'] as const;
