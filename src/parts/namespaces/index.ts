import type { Part } from '../../core/contract.ts';
import { apply, applyAll, observeChanged } from './apply.ts';
import { compile } from './compile.ts';
import { describe } from './describe.ts';
import { observe } from './observe.ts';
import { KINDS, type Spec } from './spec.ts';

/** Owner of the hub, of each service's namespace and of what may pass between them. */
export const namespacesPart: Part<Spec> = {
  id: 'namespaces',
  kinds: KINDS,
  compile,
  observe,
  apply,
  applyAll,
  observeChanged,
  describe,
  // Holds nothing open: the helper does.
  close: async () => {},
};
