# Which files ternchat's server and client are made of, for the program, its tests and the fuzz targets.

# The server without its network, and its history and its broker, each of which may be none.
set(TERNCHAT_HUB hub.c hub_ask.c hub_files.c hub_many.c hub_names.c hub_people.c hub_private.c hub_rights.c hub_rooms.c
    log.c room.c session.c)
# The client without its network, its terminal and its memory.
set(TERNCHAT_MODEL model.c model_ask.c model_event.c model_held.c model_known.c model_lines.c model_memory.c
    model_offer.c model_people.c model_said.c model_seal.c offer.c words.c)
# What both say to each other, and what clients seal for each other.
set(TERNCHAT_PROTO name.c proto.c skeleton.c)
set(TERNCHAT_SEAL box.c chain.c seal.c seal_open.c)
