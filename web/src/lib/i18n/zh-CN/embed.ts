import type { embed as en } from '../en/embed.ts';

export const embed: Record<keyof typeof en, string> = {};
