import type { desk as en } from '../en/desk.ts';

export const desk: Record<keyof typeof en, string> = {};
