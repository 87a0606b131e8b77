export { labAuthority } from './acme.ts';
export { attachLab, startLab, type Lab, type LabNode } from './lab.ts';
export { loadTopology } from './load.ts';
export { NODE_INSIDE } from './places.ts';
export { findLabs } from './record.ts';
export { parseTopology, type Topology } from './topology.ts';
