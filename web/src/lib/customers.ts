// What an agent must see of a customer at the first glance.

import type { Customer } from './contract.ts';

const complaints = ['complaint', '抱怨', '投诉'];

function rows(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : [];
}

/** Whether the customer, or one of the open tickets, is marked as a complaint. */
export function complains(customer: Customer | null): boolean {
  if (!customer) return false;
  const marked = (value: unknown) => value === true || (typeof value === 'string' && complaints.includes(value.toLowerCase()));
  if (marked(customer['complaint']) || marked(customer['mark'])) return true;
  return rows(customer.open_tickets).some((one) => marked(one['kind']) || marked(one['type']) || marked(one['complaint']));
}

/** How many tickets are open; undefined where nobody has said. */
export function openTickets(customer: Customer | null): number | undefined {
  return Array.isArray(customer?.open_tickets) ? rows(customer.open_tickets).length : undefined;
}
