// Sends a message to all sockets of the channel, by the server's own broadcast.
export async function run({ server, socket, payload }) {
  server.broadcast({ cmd: "chat", nick: socket.nick, text: payload.text }, { channel: socket.channel });
}

export const requiredData = ["text"];
export const info = { name: "chat", category: "core", description: "Say something" };
