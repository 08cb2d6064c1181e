import { ATTENTION_MODELS } from './attention-models.ts';
import type { ExpandedModel } from './expanded-model.ts';
import { EXPORTED_MODELS } from './exported-models.ts';
import { LEARNING_MODELS } from './learning-models.ts';
import { MOVEMENT_MODELS } from './movement-models.ts';
import { WIDE_MODELS } from './wide-models.ts';

/** A model around every operator that is written in others. */
export const EXPANDED_MODELS: Readonly<Record<string, ExpandedModel>> = {
  ...ATTENTION_MODELS,
  ...MOVEMENT_MODELS,
  ...WIDE_MODELS,
  ...EXPORTED_MODELS,
  ...LEARNING_MODELS,
};
