import { MappingError, type MappingRefusal } from '../../core/mapping.ts';
import type { IgdService } from '../../wire/igd-description.ts';
import { encodeCall, explainFault, parseSoapReply, type SoapArguments } from '../../wire/igd.ts';
import { askRouterByHttp } from './router-http.ts';

/** A router that understood the question and said no. */
export class IgdFault extends MappingError {
  readonly fault: number;

  constructor(
    router: string,
    action: string,
    fault: { readonly code: number; readonly description: string },
  ) {
    super(`${router} answered UPnP ${action} with ${explainFault(fault)}`, {
      refusal: REFUSALS[fault.code] ?? 'failed',
    });
    this.name = 'IgdFault';
    this.fault = fault.code;
  }
}

const REFUSALS: Readonly<Record<number, MappingRefusal>> = {
  401: 'unsupported',
  602: 'unsupported',
  603: 'no-resources',
  606: 'not-authorized',
  702: 'unsupported',
  703: 'not-authorized',
  705: 'unsupported',
  718: 'conflict',
  728: 'no-resources',
  729: 'conflict',
};

export interface Called {
  readonly router: string;
  readonly service: IgdService;
  /** Our address that it is asked from. */
  readonly from?: string;
}

/** Asks one thing of a service. Rejects with `IgdFault` when the router refuses, `MappingError` when it says nothing. */
export async function callIgd(
  { router, service, from }: Called,
  action: string,
  input: SoapArguments,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const soap = encodeCall(service, action, input);
  const { status, body } = await askRouterByHttp(
    { router, place: service.control, soap, ...(from === undefined ? {} : { from }) },
    signal,
  );
  const reply = parseSoapReply(body, action);
  if (reply?.kind === 'reply') return reply.values;
  if (reply?.kind === 'fault') throw new IgdFault(router, action, reply);
  throw new MappingError(`${router} answered UPnP ${action} with status ${status} and nothing that is UPnP`, {
    refusal: status === 401 || status === 403 ? 'not-authorized' : status === 404 ? 'unsupported' : 'failed',
  });
}

/** Did the router refuse, with one of these codes? */
export function isFault(error: unknown, ...codes: readonly number[]): error is IgdFault {
  return error instanceof IgdFault && codes.includes(error.fault);
}
