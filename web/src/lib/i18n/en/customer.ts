export const customer = {
  'customer.tickets': 'Open tickets',
  'customer.noTickets': 'No open tickets',
  'customer.devices': 'Devices',
  'customer.history': 'History',
  'customer.numbers': 'Numbers',
  'customer.warranty': 'Warranty until {date}',
  'customer.outOfWarranty': 'Out of warranty since {date}',
  'customer.serial': 'No. {serial}',
  'customer.opensNew': 'opens in a new window',
} as const;
