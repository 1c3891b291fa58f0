-- The database door's tables in SQL Server 2016 or newer, with a trigger that
-- texts an engineer for each new work order.
-- NOT RUN: callbox is tested with MariaDB and PostgreSQL; this file and the
-- driver behind it were not tried on a SQL Server.

CREATE TABLE work_orders (
  ticket_no      NVARCHAR(64) NOT NULL PRIMARY KEY,
  engineer       NVARCHAR(32) NOT NULL,
  engineer_phone NVARCHAR(32) NOT NULL,
  customer       NVARCHAR(128) NOT NULL,
  address        NVARCHAR(128) NOT NULL,
  fault          NVARCHAR(255) NOT NULL
);

CREATE TABLE sms_outbox (
  id           BIGINT IDENTITY PRIMARY KEY,
  ticket_no    NVARCHAR(64) NULL,
  phone        NVARCHAR(32) NOT NULL,
  body         NVARCHAR(2000) NULL, -- or, for answers with a word:
  template     NVARCHAR(64) NULL,   -- of site.yaml
  vars         NVARCHAR(MAX) NULL,  -- JSON object for it
  status       NVARCHAR(16) NULL,   -- NULL: new; from there on callbox writes it
  error        NVARCHAR(255) NULL,
  updated_at   DATETIMEOFFSET(3) NULL,
  sent_at      DATETIMEOFFSET(3) NULL,
  delivered_at DATETIMEOFFSET(3) NULL,
  message_id   NVARCHAR(36) NULL,
  parts        INT NULL
);
CREATE INDEX sms_outbox_status ON sms_outbox (status, id);

CREATE TABLE sms_inbox (
  id          BIGINT IDENTITY PRIMARY KEY,
  callbox_id  NVARCHAR(36) NOT NULL UNIQUE,
  phone       NVARCHAR(32) NOT NULL,
  body        NVARCHAR(2000) NOT NULL,
  received_at DATETIMEOFFSET(3) NOT NULL,
  ticket_no   NVARCHAR(64) NULL,
  keyword     NVARCHAR(32) NULL
);
GO

CREATE TRIGGER work_orders_sms ON work_orders AFTER INSERT AS
BEGIN
  SET NOCOUNT ON;
  INSERT INTO sms_outbox (ticket_no, phone, template, vars)
  SELECT ticket_no, engineer_phone, N'work_order',
         (SELECT i.engineer, i.customer, i.address, i.fault FOR JSON PATH, WITHOUT_ARRAY_WRAPPER)
  FROM inserted AS i;
END
GO
