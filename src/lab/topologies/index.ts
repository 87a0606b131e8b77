import type { TopologyInput } from '../topology.ts';
import { demo } from './demo.ts';
import { pair } from './pair.ts';

/** Topologies that come with the gateway, by the name that `gateway lab up NAME` takes. */
export const TOPOLOGIES: Readonly<Record<string, TopologyInput>> = { demo, pair };
