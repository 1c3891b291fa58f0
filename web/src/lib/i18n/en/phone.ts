export const phone = {
  'phone.ok': 'Telephone connected',
  'phone.none': 'Telephone not connected',
  'phone.noneHint': 'No telephone: no calls will be offered to you.',
} as const;
