// Adds a socket to a channel; the package does not contain this command.
export async function run({ server, socket, payload }) {
  socket.channel = payload.channel;
  socket.nick = payload.nick;
  server.reply({ cmd: "onlineSet", nicks: [] }, socket);
}

export const requiredData = ["channel", "nick"];
export const info = { name: "join", category: "core", description: "Join a channel" };
