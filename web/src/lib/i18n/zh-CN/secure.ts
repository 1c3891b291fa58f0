import type { secure as en } from '../en/secure.ts';

export const secure: Record<keyof typeof en, string> = {};
