import type { embed as en } from '../en/embed.ts';

export const embed: Record<keyof typeof en, string> = {
  'embed.title': '电话条',
  'embed.agents': '此页面供坐席使用。',
};
