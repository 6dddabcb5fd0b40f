/** What a client sends to the gateway: https://discord.com/developers/docs/events/gateway-events#send-events */
import { GatewayCloseCodes, GatewayOpcodes } from "discord-api-types/v10";
import type { RawData } from "ws";
import { z } from "zod";

const snowflake = z.string().regex(/^\d{1,20}$/);

const identify = z.object({
  token: z.string(),
  intents: z.int(),
  properties: z.object({ os: z.string(), browser: z.string(), device: z.string() }),
  large_threshold: z.int().min(50).max(250).optional(),
  shard: z.tuple([z.int().min(0), z.int().min(1)]).optional(),
});
const resume = z.object({ token: z.string(), session_id: z.string(), seq: z.int().min(0) });
const requestMembers = z.object({
  guild_id: snowflake,
  nonce: z.string().max(32).optional(),
  query: z.string().optional(),
  limit: z.int().min(0).optional(),
  user_ids: z.union([snowflake.transform((id) => [id]), z.array(snowflake)]).optional(),
});

const command = z.discriminatedUnion("op", [
  z.object({ op: z.literal(GatewayOpcodes.Heartbeat), d: z.int().nullable() }),
  z.object({ op: z.literal(GatewayOpcodes.Identify), d: identify }),
  z.object({ op: z.literal(GatewayOpcodes.PresenceUpdate), d: z.unknown() }),
  z.object({ op: z.literal(GatewayOpcodes.Resume), d: resume }),
  z.object({ op: z.literal(GatewayOpcodes.RequestGuildMembers), d: requestMembers }),
]);

const knownOpcodes = new Set<number>(command.options.map(({ shape }) => shape.op.value));

export type GatewayCommand = z.infer<typeof command>;
export type IdentifyData = z.infer<typeof identify>;
export type ResumeData = z.infer<typeof resume>;
export type RequestMembersData = z.infer<typeof requestMembers>;

/** https://discord.com/developers/docs/events/gateway#sending-events */
const maxBytes = 4096;

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString();
}

/** What a client wants, or the code with which Discord hangs up on it. */
export function readCommand(data: RawData): GatewayCommand | GatewayCloseCodes {
  const text = textOf(data);
  if (Buffer.byteLength(text) > maxBytes) return GatewayCloseCodes.DecodeError;
  const json = parseJson(text);
  const opcode = z.object({ op: z.int() }).safeParse(json);
  if (!opcode.success) return GatewayCloseCodes.DecodeError;
  if (!knownOpcodes.has(opcode.data.op)) return GatewayCloseCodes.UnknownOpcode;
  const read = command.safeParse(json);
  return read.success ? read.data : GatewayCloseCodes.DecodeError;
}
