/** What a browser sends behind the headers of a form, of which no more is read than a form can hold. */

/** cut off: the other side hung up, or broke the rules, before all of it was here. */
export type Body = { readonly is: "whole"; readonly text: string } | { readonly is: "too large" | "cut off" };

/** Reads a body to its end, however it is sent. Never throws for what a visitor may cause. */
export async function readBody(body: ReadableStream<Uint8Array> | null, mostBytes: number): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // To leave the loop cancels what is left.
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > mostBytes) return { is: "too large" };
      chunks.push(chunk);
    }
  } catch {
    return { is: "cut off" };
  }
  return { is: "whole", text: Buffer.concat(chunks).toString("utf8") };
}
