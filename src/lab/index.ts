export { attachLab, startLab, type Lab, type LabNode, type LabOptions } from './lab.ts';
export { loadTopology } from './load.ts';
export { NODE_INSIDE, GATEWAY_INSIDE } from './places.ts';
export { findLabs } from './record.ts';
export { parseTopology, type Topology, type TopologyInput } from './topology.ts';
