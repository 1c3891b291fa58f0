export const embed = {
  'embed.title': 'Call bar',
  'embed.agents': 'This page is for agents.',
} as const;
