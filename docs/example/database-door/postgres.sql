-- The database door's tables in PostgreSQL, with a trigger that texts an
-- engineer for each new work order. Run by callbox's own tests.
-- work_orders stands for the ticket system's own table: leave it out and put
-- the trigger on yours.

CREATE TABLE work_orders (
  ticket_no      text PRIMARY KEY,
  engineer       text NOT NULL,
  engineer_phone text NOT NULL,
  customer       text NOT NULL,
  address        text NOT NULL,
  fault          text NOT NULL
);

CREATE TABLE sms_outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ticket_no    text,
  phone        text NOT NULL,
  body         text,             -- or, for answers with a word:
  template     text,             -- of site.yaml
  vars         jsonb,            -- an object for it
  status       text,             -- NULL: new; from there on callbox writes it
  error        text,
  updated_at   timestamptz,
  sent_at      timestamptz,      -- the carrier took it
  delivered_at timestamptz,      -- it is on the phone
  message_id   uuid,             -- callbox's id of the text
  parts        int               -- how many it is paid as
);
CREATE INDEX sms_outbox_status ON sms_outbox (status, id);

CREATE TABLE sms_inbox (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  callbox_id  uuid NOT NULL UNIQUE, -- no text comes twice
  phone       text NOT NULL,
  body        text NOT NULL,
  received_at timestamptz NOT NULL,
  ticket_no   text,                 -- of the text that it answers
  keyword     text                  -- 接单, 到达, 完成: from the template's replies
);

CREATE FUNCTION work_orders_sms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sms_outbox (ticket_no, phone, template, vars)
  VALUES (NEW.ticket_no, NEW.engineer_phone, 'work_order',
          jsonb_build_object('engineer', NEW.engineer, 'customer', NEW.customer, 'address', NEW.address, 'fault', NEW.fault));
  RETURN NULL;
END $$;

CREATE TRIGGER work_orders_sms AFTER INSERT ON work_orders
  FOR EACH ROW EXECUTE FUNCTION work_orders_sms();
